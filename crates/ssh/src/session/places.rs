//! Where the paths of an operation on files are, and where links will lead: what the target is asked before the operation is judged.

use model::Effect;

use super::files::Operation;
use super::program::{Message, Then, Wanted};
use super::{End, Relay, Step};
use crate::classify;
use crate::sftp::packet::{self, Answer};
use crate::sftp::path;
use crate::sftp::request::{Named, Request};
use crate::sftp::{self, Moved, Pending, State};

/// The kind of a file in `st_mode`.
const KIND: u32 = 0o170_000;
const LINK: u32 = 0o120_000;
const FOLDER: u32 = 0o040_000;

/// What an operation does, and whether links are moved that nobody looks at.
type About = (Vec<(Effect, String)>, bool);

impl Relay {
    /// Something is done to paths: first it is asked where they are, then judged.
    pub(super) fn on_paths(
        &mut self,
        index: usize,
        request: &Request<'_>,
        paths: &[Named<'_>],
        bytes: &[u8],
    ) -> Result<bool, End> {
        let Some((about, links)) = self.about(index, request, paths)? else { return Ok(true) };
        let asked = classify::operation(request.word, &about, links);
        if let Some(approved) = self.program(index).and_then(|program| program.approved.take()) {
            return self.carry_out(index, *approved, &asked);
        }
        let opens = matches!(request.word, "get" | "put" | "list");
        if opens && self.state(index).is_none_or(|state| !state.has_room()) {
            return self.reply_status(index, bytes.len(), request.id, packet::UNSUPPORTED, "too many open files");
        }
        let first = about.first().map(|(_, path)| path.clone()).unwrap_or_default();
        let to = about.iter().map(|(_, path)| path).find(|path| **path != first).cloned();
        let operation = Operation { id: request.id, word: request.word, path: first, to, opens, used: bytes.len() };
        let message = Message::Files(bytes.to_vec());
        self.start(index, Wanted { asked, message, then: Then::Operation(Box::new(operation)) })?;
        Ok(false)
    }

    /// What a request is about; `None` while the target is asked.
    fn about(&mut self, index: usize, request: &Request<'_>, paths: &[Named<'_>]) -> Result<Option<About>, End> {
        let Some(state) = self.state(index) else { return Ok(None) };
        if let Some(next) = paths.get(state.places.len()) {
            self.ask_target(index, packet::REALPATH, next.question())?;
            return Ok(None);
        }
        let places = paths.iter().zip(&state.places);
        let mut about: Vec<(Effect, String)> =
            places.map(|(named, place)| (named.effect, place_of(named, place.as_deref()))).collect();
        let Some((from, to)) = request.moves() else { return Ok(Some((about, false))) };
        let place = |at: usize| about.get(at).map(|(_, path)| path.clone()).unwrap_or_default();
        let (from, to) = (place(from), place(to));
        // A place that is not known is in no rule's objects.
        if !sftp::is_absolute(&from) || !sftp::is_absolute(&to) {
            return Ok(Some((about, false)));
        }
        Ok(match &state.moved {
            Moved::Unknown => {
                state.moved = Moved::Asked;
                self.ask_target(index, packet::LSTAT, &from)?;
                None
            }
            Moved::Link => {
                state.moved = Moved::Reading;
                self.ask_target(index, packet::READLINK, &from)?;
                None
            }
            Moved::Says(says) => {
                let there = path::led(path::parent(&to), says).into_owned();
                state.moved = Moved::Following;
                self.ask_target(index, packet::REALPATH, &there)?;
                None
            }
            Moved::Asked | Moved::Reading | Moved::Following => None,
            Moved::Plain => Some((about, false)),
            // In the same folder, all that links in it say means what it meant.
            Moved::Folder => Some((about, path::parent(&from) != path::parent(&to))),
            Moved::Leads(place) => {
                let place = place.clone().unwrap_or_else(|| unresolved(&to));
                about.extend([Effect::Read, Effect::Write].map(|effect| (effect, place.clone())));
                Some((about, false))
            }
        })
    }

    /// Asks the target about a path; what is behind waits for the answer.
    fn ask_target(&mut self, index: usize, kind: u8, path: &str) -> Step {
        let Some(state) = self.state(index) else { return Ok(()) };
        let id = state.own_id();
        state.asking = true;
        self.expect_answer(index, id, Pending::Where)?;
        self.send_packet(index, &packet::ask(kind, id, path.as_bytes()))
    }

    /// The target answers a question of ours.
    pub(super) fn placed(&mut self, index: usize, answer: &Answer<'_>) -> Step {
        if let Some(state) = self.state(index) {
            state.asking = false;
            learn(state, answer);
        }
        self.files_of_client(index)
    }
}

/// What an answer says.
fn learn(state: &mut State, answer: &Answer<'_>) {
    let named = match answer {
        Answer::Name { first: Some(name), .. } => std::str::from_utf8(name).ok(),
        _ => None,
    };
    let place = || named.filter(|place| sftp::is_absolute(place)).map(str::to_owned);
    state.moved = match state.moved {
        Moved::Asked => match answer {
            Answer::Attributes { mode: Some(mode), .. } if mode & KIND == LINK => Moved::Link,
            Answer::Attributes { mode: Some(mode), .. } if mode & KIND == FOLDER => Moved::Folder,
            // Without an answer there is nothing to be moved.
            Answer::Attributes { mode: Some(_), .. } | Answer::Status { .. } => Moved::Plain,
            _ => Moved::Leads(None),
        },
        Moved::Reading => {
            let says = named.filter(|says| !says.is_empty() && !says.contains('\0') && !path::leads_back(says));
            says.map_or(Moved::Leads(None), |says| Moved::Says(says.to_owned()))
        }
        Moved::Following => Moved::Leads(place()),
        Moved::Unknown | Moved::Plain | Moved::Folder | Moved::Link | Moved::Says(_) | Moved::Leads(_) => {
            state.places.push(place());
            return;
        }
    };
}

/// Where a path is: as the target said, or unresolved.
fn place_of(named: &Named<'_>, place: Option<&str>) -> String {
    match place.filter(|_| !named.lost) {
        Some(place) if named.is_beside() => sftp::beside(place, &named.path).unwrap_or_else(|| unresolved(&named.path)),
        Some(place) => place.to_owned(),
        None => unresolved(&named.path),
    }
}

fn unresolved(path: &str) -> String {
    format!("?.{path}")
}
