//! What a session puts down as it goes: the events of its recording.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Command, Unmask, Verdict};
use record::{CommandEvent, Context, Event, Judged, Micros, Used};

use crate::ports::{ApprovalRequest, RecordFailure};
use crate::refusal::RefusalKind;
use crate::session::broken;
use crate::{Refusal, Session};

/// The longest that a session blocks its worker when the recorder is behind in the middle of a turn.
const RECORDER_PATIENCE: Duration = Duration::from_secs(5);

impl Session {
    pub(crate) fn record_answer(
        &mut self,
        request: &ApprovalRequest,
        answer: &str,
        by: &[(String, String)],
    ) -> Result<(), Refusal> {
        self.record(&Event::Answered {
            number: request.number,
            approval: Cow::Owned(request.id.to_string()),
            answer: Cow::Borrowed(answer),
            by: by.iter().map(|(who, why)| (Cow::Borrowed(who.as_str()), Cow::Borrowed(why.as_str()))).collect(),
        })
    }

    pub(crate) fn record_command(
        &mut self,
        command: &Command<'_>,
        verdict: &Verdict,
        at: Micros,
    ) -> Result<(), Refusal> {
        let in_force = Arc::clone(&self.in_force);
        let judged = CommandEvent {
            number: self.number,
            label: Cow::Borrowed(&command.intent.label),
            text: Cow::Borrowed(command.text),
            values: command.values.iter().map(|value| value.as_deref().map(Cow::Borrowed)).collect(),
            actions: Cow::Borrowed(&command.intent.actions),
            flags: command.intent.flags,
            outcome: verdict.outcome,
            rules: Cow::Borrowed(&verdict.rules),
            reasons: Cow::Borrowed(&verdict.reasons),
            shadow: Cow::Borrowed(&verdict.shadow),
            policy: Cow::Borrowed(in_force.policy.version()),
        };
        let event = Event::Judged(Judged { command: judged, context: context(command) });
        self.record_at(at, &event)
    }

    pub(crate) fn record(&mut self, event: &Event<'_>) -> Result<(), Refusal> {
        self.record_at(self.gate.clock.now(), event)
    }

    /// Appends an event. A turn starts only when there is room ([`poll_recorder`](Self::poll_recorder)); if a turn fills it all
    /// the same, the worker waits: a slow recorder slows sessions, it loses nothing.
    pub(crate) fn record_at(&mut self, at: Micros, event: &Event<'_>) -> Result<(), Refusal> {
        match self.recorder.append(at, event) {
            Ok(()) => return Ok(()),
            Err(RecordFailure::Behind) => self.gate.metrics.recorder_waits.inc(),
            Err(failure @ RecordFailure::Broken(_)) => return Err(broken(&failure)),
        };
        let start = Instant::now();
        while start.elapsed() < RECORDER_PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
            match self.recorder.append(at, event) {
                Ok(()) => return Ok(()),
                Err(RecordFailure::Behind) => {}
                Err(failure @ RecordFailure::Broken(_)) => return Err(broken(&failure)),
            }
        }
        Err(Refusal::of(RefusalKind::Unavailable).because("the recorder is too far behind"))
    }
}

/// What the verdict looked at beside actions and flags.
fn context<'c>(command: &Command<'c>) -> Context<'c> {
    let intent = command.intent;
    let bit = |is: bool, bit: u8| if is { bit } else { 0 };
    let used = |relation: &'c str, column: &'c str, kind| Used {
        relation: Cow::Borrowed(relation),
        column: Cow::Borrowed(column),
        kind,
    };
    let conditions = intent.predicates.iter().map(|it| {
        let kind = if it.equality { Used::EQUALITY } else { Used::ANYHOW };
        used(&it.relation, &it.column, kind)
    });
    let asked = command.unmask.iter().flat_map(Unmask::all_names);
    let in_clear = asked.map(|it| used(&it.relation, &it.column, Used::IN_CLEAR));
    Context {
        bits: bit(command.in_transaction, Context::IN_TRANSACTION)
            | bit(intent.reads_unknown, Context::READS_UNKNOWN)
            | bit(intent.moves_unknown, Context::MOVES_UNKNOWN),
        used: conditions.chain(in_clear).collect(),
        moves: Cow::Borrowed(&intent.moves),
        reads: Cow::Borrowed(if intent.moves_unknown { &intent.reads } else { &[] }),
    }
}
