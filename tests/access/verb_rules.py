"""Who may call which verb. A public function that takes an actor and stands in neither list fails its test.

A verb is named by its module under `engagement` and its own name. Everybody else of the body is refused, as are the
people of every other body and people without a role; the operator at the command line is let through.
"""

from __future__ import annotations

from engagement.access import Role

L, G, C, V = Role.LEAD, Role.GOVERNING, Role.COUNCIL, Role.REVIEWER
R, A, O = Role.RETURNING, Role.AUDITOR, Role.OPERATOR  # noqa: E741 - one letter a role, as a legend

RULES: dict[tuple[Role, ...], str] = {
    (L,): """
        assessments.meetings.add assessments.meetings.apply assessments.meetings.preview
        assessments.meetings.record assessments.meetings.remove
        asks.answers.answer asks.answers.hide asks.answers.mark_done asks.answers.publish_action
        asks.answers.remove_action asks.answers.show
        asks.requests.log_request asks.requests.remove_request asks.requests.set_given
        council.proposals.accept council.proposals.decline
        council.results.renew_link council.results.set_page
        exchange.answers.import_answers
        instrument.verbs.add_own_item instrument.verbs.ensure_item instrument.verbs.new_wording
        instrument.verbs.propose_wording instrument.verbs.seed instrument.verbs.set_items
        intake.linking.ask
        messaging.bounces.dead_letters messaging.bounces.deliver_again messaging.bounces.retry
        messaging.bounces.undeliverable
        messaging.desk.look messaging.desk.preview messaging.desk.send_example messaging.desk.send_test
        messaging.desk.template
        messaging.my_page.hand_out
        messaging.settings.read messaging.settings.reset_template messaging.settings.save
        messaging.settings.save_template
        outreach.catalogue.reset outreach.catalogue.save
        outreach.contacts.log outreach.contacts.log_unplanned outreach.contacts.next_done
        outreach.contacts.own_contact outreach.contacts.rows outreach.contacts.unlog
        outreach.letters.most outreach.letters.preview outreach.letters.queue outreach.letters.reset_text
        outreach.letters.save_most outreach.letters.save_text outreach.letters.sent outreach.letters.sizes
        outreach.letters.stop outreach.letters.texts
        releases.build.correct
        outreach.order.discard outreach.order.draw outreach.order.of outreach.order.reveal
        outreach.order.verify
        outreach.peers.agree outreach.peers.end outreach.peers.groups outreach.peers.keep_groups
        outreach.peers.move outreach.peers.pairs outreach.peers.propose_groups outreach.peers.propose_pairs
        outreach.peers.reopen outreach.peers.take_runner_up
        outreach.plan.accept outreach.plan.add outreach.plan.cancel outreach.plan.change
        outreach.plan.discard outreach.plan.newest outreach.plan.propose outreach.plan.undo
        outreach.plan.undo_accept
        outreach.team.exclude outreach.team.exclusions outreach.team.include outreach.team.localities
        outreach.team.people
        outreach.team.save_person outreach.team.save_settings outreach.team.settings
        roster.bodies.own_body roster.imports.apply roster.members_file.preview_members
        roster.people.add_person roster.people.correct_person roster.people.end_person
        roster.people.move_person roster.people.reinstate_person roster.people.set_standing
        roster.practices.add_practice roster.practices.close_practice roster.practices.correct_practice
        roster.practices.reopen_practice roster.practices_file.preview_practices roster.view.roster_now
        rounds.lifecycle.cancel rounds.lifecycle.extend rounds.lifecycle.live rounds.lifecycle.pause
        rounds.lifecycle.resume
        rounds.programme.approve rounds.programme.change rounds.programme.move rounds.programme.pause
        rounds.programme.read rounds.programme.resume rounds.programme.same_again rounds.programme.save
        rounds.programme.skip rounds.programme.undo_move
        rounds.verbs.checklist rounds.verbs.close rounds.verbs.discard rounds.verbs.edit rounds.verbs.launch
        rounds.verbs.new rounds.verbs.outlook
    """,
    (L, G, C): """
        assessments.meetings.all assessments.read.history assessments.read.latest assessments.read.listed
        assessments.read.one
        asks.answers.actions asks.ledger.listed asks.requests.balance asks.requests.logged
        council.proposals.listed council.results.page council.review.releases
        instrument.verbs.instrument_of instrument.verbs.items
        outreach.catalogue.actions outreach.contacts.action_of outreach.contacts.counts
        outreach.evaluation.evaluate outreach.evaluation.pooled outreach.order.not_now
        releases.read.content releases.read.history releases.read.practices releases.read.status
        rounds.verbs.by_number rounds.verbs.find rounds.verbs.receipt
    """,
    (L, G, C, R, A, O): "rounds.verbs.rounds",
    (L, G): "council.review.answer intake.linking.approve intake.linking.open_code",
    (L, G, A): "intake.linking.possible intake.linking.refuse intake.linking.requests",
    (C,): """
        council.proposals.endorse council.proposals.propose council.proposals.withdraw
        council.review.ask council.review.mark_reviewed council.review.set_public
    """,
    (V,): """
        comments.review.approve comments.review.code comments.review.edit comments.review.publish
        comments.review.queue comments.review.reject comments.review.require_reviewer comments.review.rounds
        comments.review.suggestions comments.review.undo
    """,
    (L, A): """
        access.audit.entries access.audit.export access.audit.inspect access.audit.newest
        protection.notices.dpia
    """,
    (L, O): """
        access.accounts.colleague access.accounts.create access.accounts.people
        access.accounts.remove_second_factor access.accounts.reset_password access.accounts.set_disabled
        access.accounts.set_roles
        access.oidc.disconnect access.sign_in_links.create_invited access.sign_in_links.invite
        access.sign_in_links.mail_invitation
    """,
    # At the command line only.
    (): """
        access.audit.export_all rounds.verbs.personal_links roster.bodies.ensure_body messaging.bounces.bounced
        protection.copies.restore
        protection.retention.carry_out protection.retention.look
        protection.subject_access.erase protection.subject_access.find protection.subject_access.report
    """,
}

# Take an actor and are no verbs, each with the reason why nobody need be refused.
NO_VERBS = {
    "access.accounts.watched_over": "a further check inside the verbs on accounts",
    "access.accounts.own": "the actor's own account",
    "access.audit.record": "writes what a verb has done",
    "access.audit.record_once": "writes that a page was seen, or somebody refused",
    "access.audit.seen_today": "says whether that is written already",
    "access.sessions.bodies_of": "the actor's own bodies",
    "access.sessions.end_own": "the actor's own sessions",
    "access.sessions.must_change_password": "the actor's own account",
    "access.sessions.own": "the actor's own sessions",
    "asks.invented.make": "the demo's own asks, put by the verbs",
    "asks.ledger.one": "takes the roles from the verb that calls it",
    "council.invented.make": "the demo's own questions of the council, put and answered by the verbs",
    "outreach.invented.make": "the demo's own outreach, made by the verbs",
    "outreach.past_visits.make": "the demo's own visits before its last round, logged by the verb",
    "rounds.programme.skip_turn": "the part that skipping and the worker share, behind their checks",
}


def rules() -> dict[str, tuple[Role, ...]]:
    """Each verb with the roles that may call it."""
    return {name: roles for roles, names in RULES.items() for name in names.split()}
