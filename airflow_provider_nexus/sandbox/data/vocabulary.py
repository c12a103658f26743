"""Names, countries, currencies and cryptos that the seeded data is made of."""

from __future__ import annotations

from typing import NamedTuple


class Crypto(NamedTuple):
    """A crypto with its price in millionths of a euro."""

    code: str
    name: str
    price: int


CRYPTOS = (
    Crypto("BTC", "Bitcoin", 61_234_567_800),
    Crypto("ETH", "Ethereum", 2_812_345_600),
    Crypto("ADA", "Cardano", 412_345),
    Crypto("XRP", "XRP", 534_210),
    Crypto("DOT", "Polkadot", 5_432_100),
    Crypto("LINK", "Chainlink", 13_987_600),
    Crypto("LTC", "Litecoin", 78_654_300),
    Crypto("XLM", "Stellar Lumens", 98_765),
    Crypto("ALGO", "Algorand", 154_321),
    Crypto("USDT-ERC20", "Tether USD", 923_400),
)


class Currency(NamedTuple):
    """A currency with its rate in millionths per euro."""

    code: str
    name: str
    rate: int
    is_active: bool = True


CURRENCIES = (
    Currency("EUR", "Euro", 1_000_000),
    Currency("USD", "US dollar", 1_083_450),
    Currency("GBP", "British pound", 853_120),
    Currency("CHF", "Swiss franc", 956_700),
    Currency("SEK", "Swedish krona", 11_345_000, is_active=False),
)

FIRST_NAMES = ("Anna", "Björn", "Chloé", "Daan", "Elif", "François", "Grażyna", "Hüseyin", "Inês", "João", "Κώστας", "李")
LAST_NAMES = (
    "de Vries",
    "O'Brien",
    "Müller",
    "García",
    "Nowak",
    "Şahin",
    "Jensen",
    "van 't Hof",
    "Žižek",
    "Ångström",
    "王",
    "Smith",
)
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


def crypto_index(code: str) -> int | None:
    """Where a crypto stands in the list, in any case."""
    return next((place for place, crypto in enumerate(CRYPTOS) if crypto.code == code.upper()), None)


def currency_of(code: str) -> Currency | None:
    """A currency by its code, in any case."""
    return next((currency for currency in CURRENCIES if currency.code == code.upper()), None)
