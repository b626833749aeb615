"""Countries: their ISO 3166-1 alpha-2 codes, and the other names under which shops send them."""

from __future__ import annotations

CODES = frozenset(
    """AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC
    EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK
    HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB
    LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ
    NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU
    RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN
    TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW""".split()  # noqa: SIM905
)

# Alpha-3 codes and names (German, English, own) of Europe and the usual trading partners. XK is
# not ISO's, but the EU, the shops and the banks use it for Kosovo.
_OTHER_NAMES = {
    "AT": "AUT|österreich|austria|autriche",
    "BE": "BEL|belgien|belgium|belgique",
    "BG": "BGR|bulgarien|bulgaria",
    "CA": "CAN|kanada|canada",
    "CH": "CHE|schweiz|switzerland|suisse|svizzera",
    "CN": "CHN|china",
    "CY": "CYP|zypern|cyprus",
    "CZ": "CZE|tschechien|czechia|česko|czech republic|tschechische republik",
    "DE": "DEU|GER|deutschland|germany|allemagne|bundesrepublik deutschland|d",
    "DK": "DNK|dänemark|denmark|danmark",
    "EE": "EST|estland|estonia",
    "ES": "ESP|spanien|spain|españa",
    "FI": "FIN|finnland|finland|suomi",
    "FR": "FRA|frankreich|france",
    "GB": "GBR|UK|großbritannien|vereinigtes königreich|united kingdom|great britain|england",
    "GR": "GRC|EL|griechenland|greece",
    "HR": "HRV|kroatien|croatia",
    "HU": "HUN|ungarn|hungary",
    "IE": "IRL|irland|ireland",
    "IT": "ITA|italien|italy|italia",
    "LI": "LIE|FL|liechtenstein|fürstentum liechtenstein",
    "LT": "LTU|litauen|lithuania",
    "LU": "LUX|luxemburg|luxembourg",
    "LV": "LVA|lettland|latvia",
    "MT": "MLT|malta",
    "NL": "NLD|niederlande|netherlands|holland|nederland|the netherlands",
    "NO": "NOR|norwegen|norway|norge",
    "PL": "POL|polen|poland|polska",
    "PT": "PRT|portugal",
    "RO": "ROU|rumänien|romania",
    "SE": "SWE|schweden|sweden|sverige",
    "SI": "SVN|slowenien|slovenia",
    "SK": "SVK|slowakei|slovakia",
    "TR": "TUR|türkei|turkey|türkiye",
    "US": "USA|vereinigte staaten|united states|united states of america",
}
_BY_NAME = {
    name.casefold(): code for code, names in _OTHER_NAMES.items() for name in names.split("|")
}


def country_code(text: str) -> str:
    """Return the alpha-2 code for a country's code or name; unknown text comes back unchanged."""
    if text.isascii() and text.upper() in CODES:
        return text.upper()
    return _BY_NAME.get(text.casefold(), text)
