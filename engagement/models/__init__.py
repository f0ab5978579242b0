"""The tables, one file an aggregate. Importing this package fills `SQLModel.metadata`."""

from engagement.models.access import ROLES, Account, AccountRole, AuditEntry, Lease, StaffSession
from engagement.models.assessment import Assessment, Attendance, Meeting
from engagement.models.base import random_id
from engagement.models.body import STANDINGS, Body, Locality
from engagement.models.comments import REVIEW_STATES, CommentRelease, CommentReview
from engagement.models.instrument import KINDS, Instrument, InstrumentItem, Item, ItemVersion
from engagement.models.intake import (
    COMMENT_CHOICES,
    Comment,
    Participation,
    PracticeParticipation,
    Response,
    SealedAnswer,
)
from engagement.models.message import (
    MEMBER_KINDS,
    MESSAGE_KINDS,
    OPT_OUTS,
    STAFF_KINDS,
    Bounce,
    Contact,
    DeadLetter,
    LinkRequest,
    MailClock,
    Mailing,
    MailSettings,
    Message,
    MessageTemplate,
    OptOut,
    OptOutLink,
)
from engagement.models.release import Release
from engagement.models.review import QUESTION_KINDS, CouncilAnswer, CouncilQuestion, CouncilReview
from engagement.models.roster import Member, Practice, Spell
from engagement.models.rounds import STATES, TIERS, Programme, Round, RoundRoster

__all__ = [
    "COMMENT_CHOICES",
    "KINDS",
    "MEMBER_KINDS",
    "MESSAGE_KINDS",
    "OPT_OUTS",
    "QUESTION_KINDS",
    "REVIEW_STATES",
    "ROLES",
    "STAFF_KINDS",
    "STANDINGS",
    "STATES",
    "TIERS",
    "Account",
    "AccountRole",
    "Assessment",
    "Attendance",
    "AuditEntry",
    "Body",
    "Bounce",
    "Comment",
    "CommentRelease",
    "CommentReview",
    "Contact",
    "CouncilAnswer",
    "CouncilQuestion",
    "CouncilReview",
    "DeadLetter",
    "Instrument",
    "InstrumentItem",
    "Item",
    "ItemVersion",
    "Lease",
    "LinkRequest",
    "Locality",
    "MailClock",
    "MailSettings",
    "Mailing",
    "Meeting",
    "Member",
    "Message",
    "MessageTemplate",
    "OptOut",
    "OptOutLink",
    "Participation",
    "Practice",
    "PracticeParticipation",
    "Programme",
    "Release",
    "Response",
    "Round",
    "RoundRoster",
    "SealedAnswer",
    "Spell",
    "StaffSession",
    "random_id",
]
