"""The model card of segments and forecasts, as the app shows it; docs/model-card.md is the same text under a title.

Formats: Mitchell et al. 2019, Model Cards for Model Reporting; the UK Algorithmic Transparency Recording Standard;
Collins et al. 2024, TRIPOD+AI, BMJ 385.
"""

TITLE = "Model card: segments and forecasts of practices"
CARD = """\
### What it is

A statistical model that estimates, for each member practice of a body, how it stands on attitude and on taking part,
puts it into one of four published segments, and forecasts whether anybody there will answer the next round. It helps
people to decide whom to visit and where to chase answers. It decides nothing.

### Owner and contact

The body that runs the survey owns the use of the model; its engagement lead answers questions about it, and its data
protection officer questions about data. Version: the software version in each stored assessment. Every assessment
is stored once, with a hash, and never changed.

### For what, and not for what

For: planning visits, chasing answers, offering peer support, and telling the council of members how engagement moves.

Not for: contract action, payment, expulsion, inspection, any judgement of care, or ranking GPs or practices in public.
Not for single people: nothing is estimated of a person.

### Population

Practices that are members of the body when a round closes. Rosters of 1 to some dozens of people. Practices that have
closed or merged leave at their closing date; a practice that was never invited is not assessed.

### What it reads, and when that is known

All of it is known when a round closes, and nothing later is read.

- How many people were invited and how many answered, by practice.
- Mean scores of answers: of the practice itself in a practice view, or where at least the threshold of people there
  answered; of those who let their answers count towards its position; otherwise of the smallest group it belongs to
  that clears the threshold. One answer that its author did not release never moves a small practice against its group.
- Leaders' answers are set against the body's own gap between leaders and others.

Not read: list size, locality as such, deprivation, contracts, performance, comments, attendance at meetings.

### Outcome and horizon

Nobody of the practice answers the next round, one round ahead, where at least one person could be invited. Attitude is
forecast too, but only mean scores of those who answer can ever be compared with it.

### Method

Two correlated states for each practice, attitude and participation, each returning slowly to the mean; a Kalman
filter over all closed rounds; constants learnt from the body's own earlier rounds with weak priors, and shipped ones
before. Segments are fixed rules on draws of the two states; labels change only when another is clear (60%). Free
clustering is shown beside them and changes nothing. A pooled layer over many bodies exists and is off until it is
trained on enough of them.

### Missing data

A practice with no answers keeps its earlier estimate, which fades towards the mean; silence counts as far as silence
goes with attitude in the body. A round to which nobody there was invited counts as nothing, not as silence. An
anonymous round says nothing about single practices. Invitations that bounced count as silence until bounces are known.

### How well it did on invented bodies whose truth is known

60 bodies in each of five kinds, 40 practices, seven rounds known and the eighth forecast (`engagement bench --risk`).
Average precision for truly disengaged practices; by chance it is about .40 to .46. The first four kinds are those in
which silence goes with attitude.

| | everybody lets answers count | nobody does |
|---|---|---|
| this model, first four kinds | .71 to .87 | .68 to .76 |
| empirical Bayes on the same data | .69 to .84 | .63 to .71 |
| last raw score | .58 to .76 | .42 to .50 |
| rounds silent in a row | .53 to .57 | .53 to .57 |
| this model, silence says nothing of attitude | .70 | .48 |
| practices whose segment is not clear | 31% to 38% | 82% to 89% |

The right column is the price of privacy: under group evidence nobody can point at a critical practice, and where
silence says little about attitude practices cannot be ranked at all.

### Calibration

On the same bodies, intervals one round ahead that should hold 50, 80 and 95% held 55, 85 and 97% of mean scores and
51, 81 and 95% of the numbers who answered. The slope of the probability of silence was 1.01 to 1.06 by kind of body
(1 is right). What a body's own rounds say stands on its page “How well does it do?”, with intervals.

### Subgroups

Judged by number of people invited and by list size wherever ten practices and five outcomes of each kind stand behind a
figure. A practice of one or two people falls silent more easily: it leads the list for chasing answers without being
less engaged, which is why visits have another list. Rural and urban practices: not known, as the roster does not say.

### Limits

- Early warning of newly disengaged practices is weak. Forecasts mostly say that what was so will stay so.
- Four rounds are needed before an assessment is more than provisional.
- Labels move slowly on purpose, and show less movement than there is.
- A segment's probability is that of fulfilling a published rule, not of being a type. The data seldom show groups.
- Those who let their answers count may differ from others; the difference is published for the whole body only.
- One body alone is little evidence about the model, and none about whether visits work.

### Privacy

Answers are opened once, at close. Pages show segments, bands and rounded probabilities, never a count of people or an
answer. In a practice of one or two people, taking part comes near to speaking of persons, so reasons leave it out below
five people invited. Constants are learnt before the round that they score, so that no answer of a round rescales its own.

### Sources of the form

Mitchell and others 2019, Model Cards for Model Reporting; the UK Algorithmic Transparency Recording Standard; Collins
and others 2024, TRIPOD+AI.
"""
