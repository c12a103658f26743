"""Remedies by the name of the error. Errors of calls have theirs in ``advice``."""

from __future__ import annotations

REMEDIES = {
    "NexusError": "Read the text: it says what was wrong. Catch this class to catch every error of the provider.",
    "NexusConfigurationError": "Correct the argument or the field of the connection that the text names.",
    "NexusUnknownResourceError": "Use a name of the catalogue; the text names the nearest one.",
    "NexusWriteRefusedError": "If the task should change something, switch on Allow writes in its connection, or give it "
    "another connection where it is on.",
    "NexusDataError": "Look at the record and the field that the text names. If Nexus sends such values on purpose, report it, "
    "with the field and the form of the value, not the value itself. In a sync, max_rejected allows such records to be rejected.",
    "NexusWindowError": "Give window_start and window_end, or a timetable with a data interval; see Which window in Syncing. "
    "In a reconciliation, sync or replay what the text names, or give a start and a moment between which all is proved.",
    "NexusUnprovedError": "Try again: the collection may have changed too fast to be read. If it fails again, the reasons say "
    "what does not match. strict=False stores the window with the verdict unproved.",
    "NexusReconciliationError": "Read the lines that the text names, and look up the records named beside them, in Nexus and in "
    "the copy: a sum that Nexus has wrong is for its support; a record that the copy lacks is brought by syncing its window "
    "again.",
    "NexusContractError": "Look at the fields that the text names. If they are fine, use contract=allow_new_fields, or run once "
    "with contract=report.",
    "NexusRejectedError": "Look at the records that the text names. Raise max_rejected to store them apart and load the others.",
    "NexusStorageError": "Read the message of the database or the store and repair the cause. Then try again: the load starts "
    "from the beginning.",
    "NexusStatusError": "Look at the record in the Nexus portal. When it is settled, clear the task.",
    "NexusWaitError": "Look at the triggerer's log, then clear the task: it reads the record again and continues to wait.",
    "NexusWaitTimeoutError": "Look at the record. Give the wait a longer timeout, or clear the task to wait once more.",
    "NexusApiError": "Catch one of its subclasses; each says what to do.",
    "NexusClaimLostError": "Nothing: another try, or another task with the same reference, has claimed the write, and did not "
    "end while this one waited for it. The next try finds what it made.",
    "NexusUnsentMailError": "Read which mails the text names and why. The next try continues with them.",
    "NexusAmbiguousMailError": "Look in the outbox of the mail server, then mark the mail as sent or release it, as Acting "
    "in Nexus describes.",
}
