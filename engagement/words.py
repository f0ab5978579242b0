"""The words that a body may change. Every screen, question and file takes them from here."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter

from engagement.errors import Invalid

DEFAULTS = {
    "body": "CCG",
    "body_long": "clinical commissioning group",
    "practice": "practice",
    "practices": "practices",
    "governing_body": "governing body",
    "council": "council of members",
    "leaders": "leaders",
    "grassroots": "grassroots members",
    "staff": "staff",
    "none": "others",
}

STANDING_MAP = {
    "chair": "leader",
    "governing_body_member": "leader",
    "clinical_lead": "leader",
    "pcn_clinical_director": "leader",
    "federation_lead": "leader",
    "icb_primary_care_partner": "leader",
    "gp_partner": "grassroots",
    "salaried_gp": "grassroots",
    "locum_gp": "grassroots",
    "practice_manager": "grassroots",
    "practice_nurse": "grassroots",
    "practice_staff": "grassroots",
    "ccg_manager": "staff",
    "ccg_staff": "staff",
    "lay_member": "none",
    "hospital_doctor": "none",
    "outside_nurse": "none",
}

ROLE_LABELS = {
    "gp_partner": "GP partner",
    "salaried_gp": "Salaried GP",
    "locum_gp": "Locum GP",
    "pcn_clinical_director": "PCN clinical director",
    "icb_primary_care_partner": "ICB primary-care partner",
    "ccg_manager": "CCG manager",
    "ccg_staff": "CCG staff",
}


def words_of(overrides: Mapping[str, str] | None) -> dict[str, str]:
    """The body's words: the defaults with its own laid over them."""
    return DEFAULTS | dict(overrides or {})


def role_label(role: str) -> str:
    """A role as people read it: "gp_partner" is "GP partner"."""
    return ROLE_LABELS.get(role) or role.replace("_", " ").capitalize()


def render(template: str, words: Mapping[str, str]) -> str:
    """Put the body's words into a template with placeholders such as `{body}`.

    Raises `Invalid` for a placeholder that is not one of the words, and for stray braces.
    """
    try:
        names = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(template)]
    except ValueError as error:
        raise Invalid("Curly brackets must enclose one of the body's words, like {body}") from error
    out = template
    for name, spec, conversion in names:
        if name is None:
            continue
        if name not in words or spec or conversion:
            raise Invalid(f"{{{name}}} is not one of the words; use one of {', '.join(sorted(DEFAULTS))}")
        out = out.replace("{" + name + "}", words[name])
    return out
