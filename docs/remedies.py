"""What to do about each error that does not say so itself. Errors of calls do, in their ``advice``."""

from __future__ import annotations

REMEDIES = {
    "NexusError": "Read the text: it says what was wrong. Catch it to catch every error of the provider.",
    "NexusConfigurationError": "Correct the argument or the field of the connection that the text names.",
    "NexusUnknownResourceError": "Use a name of the catalogue; the text names the nearest one.",
    "NexusWriteRefusedError": "If the task shall change something, switch Allow writes on in its connection, or give it a "
    "connection of its own where it is on.",
    "NexusDataError": "Look at the record and the field that the text names. If Nexus sends such values on purpose, the provider "
    "has to learn them: report it with the field and the form, not the value. In a sync, such records can be put aside with "
    "max_rejected.",
    "NexusWindowError": "Give window_start and window_end, or a timetable with a data interval; see Which window in Syncing.",
    "NexusUnprovedError": "Try again, as the collection may have changed too fast to be read. If it lasts, the reasons say "
    "what does not match. strict=False stores the window with that verdict.",
    "NexusContractError": "Look at the fields that the text names. When they are fine, agree to them: contract=allow_new_fields, "
    "or run once with contract=report.",
    "NexusRejectedError": "Look at the records that the text names. Raise max_rejected to put them aside and store the others.",
    "NexusStorageError": "Read what the database or the store says and repair that. Then try again: the load begins anew.",
    "NexusStatusError": "Look at the record in the Nexus portal. When it is settled, clear the task.",
    "NexusWaitError": "Look at the triggerer's log, then clear the task: it looks at the record again and goes on waiting.",
    "NexusWaitTimeoutError": "Look at the record. Give the wait a longer timeout, or clear the task to wait once more.",
    "NexusApiError": "Catch a child of it; each says what to do.",
    "NexusClaimLostError": "Nothing: another try, or another task with the same reference, has claimed the write. The next try "
    "finds what it made.",
    "NexusUnsentMailError": "Read which mails are named and why. The next try goes on with them.",
    "NexusAmbiguousMailError": "Look in the outbox of the mail server, then mark the mail as sent or let it go again, as Acting "
    "in Nexus describes.",
}
