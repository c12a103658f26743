"""Names, countries, banks and exchanges that the seeded data is made of."""

from __future__ import annotations

from typing import NamedTuple

FIRST_NAMES = ("Anna", "Björn", "Chloé", "Daan", "Elif", "François", "Grażyna", "Hüseyin", "Inês", "João", "Κώστας", "李")
_LAST_NAMES = "de Vries, O'Brien, Müller, García, Nowak, Şahin, Jensen, van 't Hof, Žižek, Ångström, 王, Smith"
LAST_NAMES = tuple(_LAST_NAMES.split(", "))
COMPANIES = ("Tulip Trading B.V.", "Café Zürich GmbH", 'Quote "n" Slash\\Co', "Łódź Logistics", "Plain & Simple Ltd")
STREETS = ("Keizersgracht", "Hauptstraße", "Rue de l'Église", "High Street", "Calle Mayor")
CITIES = ("Amsterdam", "Köln", "Liège", "Groningen", "Málaga")
COUNTRIES = (("NL", "Netherlands"), ("DE", "Germany"), ("BE", "Belgium"), ("FR", "France"), ("ES", "Spain"))
PROVIDERS = ("KPN B.V.", "Deutsche Telekom AG", "Proximus", "Orange S.A.", "Telefónica")
_OTHER_COUNTRIES = (
    "AT Austria, BG Bulgaria, CH Switzerland, CY Cyprus, CZ Czechia, DK Denmark, EE Estonia, FI Finland, GB United Kingdom, "
    "GR Greece, HR Croatia, HU Hungary, IE Ireland, IR Iran, IS Iceland, IT Italy, KP North Korea, LI Liechtenstein, "
    "LT Lithuania, LU Luxembourg, LV Latvia, MT Malta, NO Norway, PL Poland, PT Portugal, RO Romania, RU Russia, SE Sweden, "
    "SI Slovenia, SK Slovakia, TR Türkiye, US United States"
)
ALL_COUNTRIES = tuple(
    sorted((*COUNTRIES, *((code, name) for code, _, name in (each.partition(" ") for each in _OTHER_COUNTRIES.split(", ")))))
)
BLOCKED_COUNTRIES = ("IR", "KP", "RU")


class Bank(NamedTuple):
    """A bank with the code of its country."""

    bic: str | None
    name: str | None
    city: str | None
    country: str | None


BANKS = (
    Bank("INGBNL2A", "ING Bank", "Amsterdam", "NL"),
    Bank("DEUTDEFF", "Deutsche Bank", "Frankfurt am Main", "DE"),
    Bank("KREDBEBB", "KBC", "Brussel", "BE"),
)
DOCUMENT_TYPES = (("ID", "Identity"), ("POA", "Proof of address"), ("SOF", "Source of funds"))
SANCTION_LISTS = (("EU", "European Union"), ("OFAC", "Office of Foreign Assets Control"), ("UN", "United Nations"))
EXCHANGES = (("BITSTAMP", "Bitstamp"), ("KRAKEN", "Kraken"), ("BITVAVO", "Bitvavo"))
PORTFOLIOS = (("DEFAULT", "Default"), ("PRIVATE", "Private clients"), ("BUSINESS", "Business clients"))
TRUST_LEVELS = ("New", "Verified", "Trusted", "Business")
LABEL_PARTNER = "SANDBOX"
