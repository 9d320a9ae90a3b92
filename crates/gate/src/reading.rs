//! Commands that cannot be read without knowing what programs do: a policy says it, and the policy that says it judges.

use std::sync::Arc;

use model::{Command, Tool};

use crate::{Asked, Session};

impl Session {
    /// What the policy of this moment says of programs.
    pub fn tools(&mut self) -> &Arc<[Tool]> {
        self.refresh(self.gate.clock.now());
        self.in_force.policy.tools()
    }

    /// As [`Session::ask`], for what is read by what a policy says of programs: `read` is given what the very policy says that then judges, and
    /// `command` makes a command of it. The answer comes with what was read.
    pub fn ask_reading<M, R>(
        &mut self,
        read: impl FnOnce(&Arc<[Tool]>) -> R,
        command: impl FnOnce(&R) -> Command<'_>,
        message: M,
    ) -> (Asked<M>, R) {
        let asked_at = self.gate.clock.now();
        self.refresh(asked_at);
        let reading = read(self.in_force.policy.tools());
        let asked = match self.over() {
            Some(refusal) => Asked::Close(refusal),
            None => self.ask_now(&command(&reading), message, asked_at),
        };
        (asked, reading)
    }
}
