//! The detectors over what a terminal shows, wherever it is cut and whatever lies between the characters.
//!
//! | file | what it does |
//! |---|---|
//! | `view.rs` | the bytes as the texts that a person would read |
//! | `find.rs` | what was found in any of them, as places in the bytes |
//! | `write.rs` | the bytes with finds replaced and control functions kept |

mod find;
mod view;
mod write;

use std::fmt;

use terminal::{Kind, StringKind, Tokens};

use crate::detector::{Detector, DetectorSet};
use crate::masker::Masker;
use crate::scan::{Hit, Open, doubtful, scan_open, undecided};
use crate::stream::Hiding;
use crate::style::Style;
use find::{Find, Places};
use view::{View, Views};
use write::Writer;

/// Most bytes that are held back: a JSON Web Token's header with what proves it (4 KiB), with as many bytes of control functions
/// inside. What would need more is released as by [`TerminalMasker::flush`].
const HOLD: usize = 8 * 1024;
/// Released bytes that are kept to know what stands before the next value, unless the line is shorter: an e-mail address that was
/// released in part has 320 characters.
const CONTEXT: usize = 1024;
/// Bytes beyond it that may be kept: what is kept is not to be looked through for each letter that is typed.
const SLACK: usize = 256;
/// Bytes that are looked at together, so that a large piece needs no large memory.
const STEP: usize = 64 * 1024;

/// Hides what the detectors find in a terminal's output, as a person reads it.
///
/// Control functions between the characters of a value do not hide it: colours, cursor movement, titles, character sets, back
/// spaces, carriage returns, characters without width. They stay where they are; only the value's characters are replaced. A
/// partial mask keeps the value's width where its kind has a longest length; the other styles do not tell the length.
///
/// Bytes flow at once unless they may be the beginning of a value: the last word where e-mail addresses are looked for, digits in
/// groups, what is a token's prefix so far. These wait for more, at most 8 KiB; a line end decides everything but a private
/// key, which is hidden from its first line on. When nothing more comes for a moment, [`flush`](Self::flush) shows what waits; what
/// is more likely a part of a value than not is then shown as stars, one for each character. So is the rest of a value whose
/// beginning was shown before it could be known, letter by letter, as typed ones are. Where a program reads the output,
/// [`flush_certain`](Self::flush_certain) changes nothing that turns out to be no value.
///
/// The output does not depend on how the stream is cut, but for lines that are changed later, for what `flush` decides, for values
/// with more than 8 KiB of control functions in them, and for values that touch: these are replaced as one or one by one. Output
/// equals input when nothing is found.
pub struct TerminalMasker {
    masker: Masker,
    set: DetectorSet,
    style: Style,
    /// Some bytes already released, then those held back.
    buffer: Vec<u8>,
    /// How many at the start of `buffer` are already released.
    released: usize,
    /// The control string that `buffer` begins inside of.
    string: Option<StringKind>,
    /// Where in the released part a doubtful value began, which is kept as long as it may become one.
    doubt: Option<usize>,
    /// Whether there were no control functions in `buffer` when it was last looked at.
    plain: bool,
    hidden: Option<Hidden>,
    views: Views,
    hits: Vec<Hit>,
}

/// A value whose replacement is written and whose bytes still come.
#[derive(Clone, Copy, Debug)]
struct Hidden {
    hiding: Hiding,
    /// Whether each character is a star, because its beginning was shown.
    stars: bool,
}

/// How much is to be released.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// What is decided.
    Decided,
    /// What is not doubtful.
    Certain,
    /// Everything; what is doubtful is hidden.
    Now,
    /// Everything: nothing follows.
    End,
}

impl TerminalMasker {
    /// A masker at the start of a stream.
    #[must_use]
    pub fn new(masker: Masker, set: DetectorSet, style: Style) -> Self {
        Self {
            masker,
            set,
            style,
            buffer: Vec::new(),
            released: 0,
            string: None,
            doubt: None,
            plain: true,
            hidden: None,
            views: Views::default(),
            hits: Vec::new(),
        }
    }

    /// Takes the next piece, of any length, and appends to `out` what can be released.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.set.is_empty() {
            out.extend_from_slice(bytes);
            return;
        }
        for piece in bytes.chunks(STEP) {
            self.buffer.extend_from_slice(piece);
            if self.hide(Until::Decided, out) {
                self.release(Until::Decided, out);
            }
            if self.held() > HOLD {
                self.flush(out);
            }
            self.forget();
        }
    }

    /// Releases everything held back, for when nothing more has come for a moment (10 ms, say) and a person waits for what is on
    /// the screen.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        if self.held() > 0 && self.hide(Until::Now, out) {
            self.release(Until::Now, out);
        }
        self.forget();
    }

    /// The same where nobody looks on: what is more likely a part of a value than not, and what is one unless more of it follows, waits on.
    pub fn flush_certain(&mut self, out: &mut Vec<u8>) {
        if self.held() > 0 && self.hide(Until::Certain, out) {
            self.release(Until::Certain, out);
        }
        self.forget();
    }

    /// Ends the stream: appends all that is left to `out`. The masker is then as new.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.hide(Until::End, out) {
            self.release(Until::End, out);
        }
        if let Some(Hidden { hiding: Hiding::Jwt { dots }, stars: false }) = self.hidden {
            out.extend(std::iter::repeat_n(b'.', dots));
        }
        (self.hidden, self.string, self.doubt, self.released) = (None, None, None, 0);
        self.buffer.clear();
        self.views.forget();
    }

    /// Bytes taken and not yet released.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.len() - self.released
    }

    /// Drops the characters of a value that is being hidden. Says whether that is over.
    fn hide(&mut self, until: Until, out: &mut Vec<u8>) -> bool {
        let Some(mut hidden) = self.hidden.take() else { return true };
        self.plain = false;
        let mut before = Tokens::new(self.buffer.get(..self.released).unwrap_or_default(), self.string);
        before.by_ref().for_each(drop);
        let rest = self.buffer.get(self.released..).unwrap_or_default();
        let (mut taken, mut ended) = (0, false);
        let tokens = Tokens::new(rest, before.string());
        'all: for token in tokens {
            let piece = rest.get(token.range.clone()).unwrap_or_default();
            match token.kind {
                Kind::Incomplete if until != Until::End => break,
                Kind::Text | Kind::Payload(_) | Kind::Control(b'\n' | b'\r' | b'\t') => {
                    for (index, byte) in piece.iter().enumerate() {
                        match hidden.step(*byte, rest.get(token.range.start + index..).unwrap_or_default(), until) {
                            Step::Hide => {}
                            Step::Show => out.push(*byte),
                            Step::Wait => break 'all,
                            Step::End => {
                                ended = true;
                                break 'all;
                            }
                        }
                        taken += 1;
                        if hidden.stars && byte & 0xc0 != 0x80 && is_hidden(*byte) && self.style != Style::Null {
                            out.push(b'*');
                        }
                    }
                }
                _ => {
                    out.extend_from_slice(piece);
                    taken = token.range.end;
                }
            }
        }
        self.released += taken;
        if !ended {
            self.hidden = Some(hidden);
        } else if let (Hiding::Jwt { dots }, false) = (hidden.hiding, hidden.stars) {
            out.extend(std::iter::repeat_n(b'.', dots));
        }
        ended
    }

    /// Releases what may be, with what was found replaced.
    fn release(&mut self, until: Until, out: &mut Vec<u8>) {
        let mut finds = Vec::new();
        self.plain = self.string.is_none() && is_plain(&self.buffer);
        let decided =
            if self.plain { self.find_in_plain(until, &mut finds) } else { self.find_in_views(until, &mut finds) };
        find::join(&self.buffer, &mut finds);
        let mut cut = match until {
            Until::Decided | Until::Certain => decided,
            Until::Now | Until::End => self.buffer.len(),
        };
        for find in finds.iter().rev() {
            if matches!(find.open, Some(Hiding::Pem(_))) {
                cut = self.buffer.len();
            } else if find.last() >= cut && find.first() < cut {
                cut = find.first();
            }
        }
        let mut cut = cut.max(self.released);
        let open = finds.last().filter(|find| until != Until::End && find.first() < cut);
        self.hidden = open.and_then(|find| {
            let hiding = match find.open? {
                // The dots after it belong to it if more follows.
                Hiding::Jwt { .. } => {
                    cut = find.last() + 1;
                    Hiding::Jwt { dots: 0 }
                }
                other => other,
            };
            // What is hidden goes on after a control function that is not whole yet.
            cut = cut.min(self.views.whole).max(self.released);
            Some(Hidden { hiding, stars: find.first() < self.released })
        });
        let writer = Writer { masker: &self.masker, style: self.style, longest: HOLD };
        writer.write(&self.buffer, (self.released, cut), &finds, out);
        self.released = cut;
    }

    /// Finds in bytes without control functions; says how many may be released, if it is not all of them.
    fn find_in_plain(&mut self, until: Until, finds: &mut Vec<Find>) -> usize {
        let (bytes, from) = (self.buffer.as_slice(), self.released);
        self.views.forget();
        self.views.whole = bytes.len();
        let open = scan_open(bytes, self.set, &mut self.hits);
        find::in_bytes(bytes, from, (&self.hits, &open), finds);
        self.doubt = None;
        let decided = undecided(bytes, self.set);
        match (until, doubtful(bytes, from, self.set)) {
            (Until::Now, Some(start)) => {
                self.doubt = Some(start);
                doubt(bytes, start.max(from)..bytes.len(), finds);
            }
            (Until::Certain, start) => return certain(finds, decided, start.unwrap_or(bytes.len())),
            (Until::Now | Until::Decided | Until::End, _) => {}
        }
        decided
    }

    /// Finds in all the texts that the bytes may be read as; says how many bytes may be released, if it is not all of them.
    fn find_in_views(&mut self, until: Until, finds: &mut Vec<Find>) -> usize {
        let (bytes, from, set) = (self.buffer.as_slice(), self.released, self.set);
        self.views.read(bytes, self.string);
        let (views, hits) = (&mut self.views, &mut self.hits);
        // A character whose rest has not come is in none of the texts.
        let half = bytes.get(views.whole).is_some_and(|byte| *byte >= 0x80);
        let most = if half { views.whole } else { bytes.len() };
        let (mut decided, mut doubts) = (most, Vec::new());
        let mut look = |view: &View, growing: bool, finds: &mut Vec<Find>| {
            let open = scan_open(&view.text, set, hits);
            // Of a line that was left nothing can still come.
            let open = if growing { open } else { Open::default() };
            find::in_view(view, bytes.len(), from, (hits, &open), finds);
            if growing {
                decided = decided.min(view.first_from(undecided(&view.text, set), bytes.len()));
                if matches!(until, Until::Now | Until::Certain) {
                    let fresh = view.at.iter().position(|place| *place >= from).unwrap_or(view.at.len());
                    doubts.extend(doubtful(&view.text, fresh, set).map(|start| view.first_from(start, bytes.len())));
                }
            }
        };
        look(&views.joined, true, finds);
        if views.moved {
            look(&views.apart, true, finds);
        }
        if views.backed {
            look(&views.erased, true, finds);
        }
        if views.edited {
            views.lines(bytes, from, |view, growing| look(view, growing, finds));
        }
        let start = doubts.into_iter().min();
        if until == Until::Certain {
            self.doubt = None;
            return certain(finds, decided, start.map_or(most, |start| start.min(most)));
        }
        self.doubt = start;
        if let Some(start) = self.doubt {
            let places = views.joined.at.iter().copied().filter(|place| *place >= start.max(from));
            doubt(bytes, places, finds);
        }
        decided
    }

    /// Drops released bytes beyond the context: all before the line, unless that is long.
    fn forget(&mut self) {
        if self.doubt.is_some_and(|doubt| self.released - doubt.min(self.released) > HOLD) {
            // What is so long is not kept to be told from a value: it is hidden as one, to its end.
            self.doubt = None;
            let hiding = Hiding::Jwt { dots: 0 };
            self.hidden = self.hidden.or(Some(Hidden { hiding, stars: true }));
        }
        let keep = self.doubt.unwrap_or(self.released).clamp(self.released.saturating_sub(HOLD), self.released);
        let least = self.released.saturating_sub(CONTEXT).min(keep);
        let (lines, far) = (self.buffer.get(..keep).unwrap_or_default().contains(&b'\n'), least >= SLACK);
        if !lines && !far {
            return;
        }
        let (end, string) = if self.plain { self.plain_cut(least, keep) } else { self.cut(least, keep) };
        self.buffer.drain(..end);
        self.views.forget();
        self.string = string;
        self.released -= end;
        self.doubt = self.doubt.map(|doubt| doubt.saturating_sub(end));
    }

    /// Where bytes without control functions may be cut: after the last line end, or else between words.
    fn plain_cut(&self, least: usize, keep: usize) -> Cut {
        let context = self.buffer.get(least..keep).unwrap_or_default();
        let line = context.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let far = || between_words(context).unwrap_or_else(|| to_character(context));
        let end = line.or_else(|| (least > 0).then(far)).map_or(0, |at| least + at);
        (end, None)
    }

    /// The same where there are control functions, which stay whole.
    fn cut(&self, least: usize, keep: usize) -> Cut {
        let bytes = self.buffer.get(..keep).unwrap_or_default();
        let mut tokens = Tokens::new(bytes, self.string);
        let (mut line, mut word, mut any) = (None, None, None);
        while let Some(token) = tokens.next() {
            let (start, end) = (token.range.start.max(least), token.range.end);
            if token.kind == Kind::Incomplete {
                break;
            }
            if end < least {
                continue;
            }
            let piece = bytes.get(start..end).unwrap_or_default();
            let (between, somewhere) = match token.kind {
                Kind::Text | Kind::Payload(_) => (between_words(piece), to_character(piece)),
                _ => (Some(end - start), end - start),
            };
            if token.kind == Kind::Control(b'\n') {
                line = Some((end, tokens.string()));
            }
            word = word.or_else(|| between.filter(|_| least > 0).map(|at| (start + at, tokens.string())));
            any = any.or((least > CONTEXT).then_some((start + somewhere, tokens.string())));
        }
        line.or(word).or(any).unwrap_or((0, self.string))
    }
}

/// Where bytes are cut, and the control string that is open there.
type Cut = (usize, Option<StringKind>);

/// The place after the first space. A value that was begun before must not look like one that begins at the cut.
fn between_words(piece: &[u8]) -> Option<usize> {
    piece.iter().position(|byte| *byte == b' ').map(|space| space + 1)
}

/// The first place where a character begins.
fn to_character(piece: &[u8]) -> usize {
    piece.iter().take_while(|byte| **byte & 0xc0 == 0x80).count()
}

/// How much of what ends at `end` stays as it is whatever follows: finds that reach into what is not decided may turn out to be none.
fn certain(finds: &[Find], decided: usize, end: usize) -> usize {
    let growing = finds.iter().filter(|find| find.open.is_none() && find.last() >= decided);
    growing.map(Find::first).fold(end, usize::min)
}

/// Adds what is doubtful after the last find: characters to be hidden one by one.
fn doubt(bytes: &[u8], places: impl IntoIterator<Item = usize>, finds: &mut Vec<Find>) {
    let after = finds.iter().map(Find::last).max();
    let places: Vec<usize> = places.into_iter().filter(|place| after.is_none_or(|after| *place > after)).collect();
    if places.is_empty() {
        return;
    }
    let value = places.iter().filter_map(|place| bytes.get(*place).copied()).collect();
    let places = Places::of(places);
    finds.push(Find { detector: Detector::ApiKey, places, value, in_order: true, open: None, doubtful: true });
}

/// What becomes of a byte after a value whose bytes still come.
enum Step {
    /// It is the value's.
    Hide,
    /// It is not, and the value goes on.
    Show,
    /// What follows will say.
    Wait,
    /// The value is over.
    End,
}

impl Hidden {
    /// `rest` begins with the byte.
    fn step(&mut self, byte: u8, rest: &[u8], until: Until) -> Step {
        let pem = matches!(self.hiding, Hiding::Pem(_));
        match (byte, rest.get(1..).unwrap_or_default()) {
            (b'\r', [b'\n', ..]) if !pem => Step::End,
            (b'\r', _) if !pem => Step::Show,
            // The right margin: a space and a carriage return.
            (b' ', [] | [b'\r']) if !pem && until == Until::Decided => Step::Wait,
            (b' ', [b'\r', next, ..]) if !pem && *next != b'\n' => Step::Show,
            _ if self.hiding.goes_on(byte) => Step::Hide,
            _ => Step::End,
        }
    }
}

const fn is_hidden(byte: u8) -> bool {
    byte > b' '
}

/// Whether bytes are text and line ends alone: one text is all that they can be read as.
fn is_plain(bytes: &[u8]) -> bool {
    let ordinary = |byte: &u8| CLASS.get(usize::from(*byte)).copied().unwrap_or(1) == 0;
    if !bytes.chunks(64).all(|chunk| chunk.iter().fold(true, |all, byte| all & ordinary(byte))) {
        return false;
    }
    let text = match str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    text && lone_return(bytes).is_none()
}

fn lone_return(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = bytes.get(at..)?.iter().position(|byte| *byte == b'\r') {
        if bytes.get(at + found + 1) != Some(&b'\n') {
            return Some(at + found);
        }
        at += found + 2;
    }
    None
}

/// 0 for bytes that are text wherever they stand: no control characters but line ends and tabs, and none that begins a character
/// without width or a C1 control character.
static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let control = byte < 0x20 && !matches!(byte, 0x09 | 0x0a | 0x0d) || byte == 0x7f;
        // U+0080 to U+009F and U+00AD; U+061C; U+180E; U+200B and others; U+FE00 and others; U+E0000.
        let begins = matches!(byte, 0xc2 | 0xd8 | 0xe1 | 0xe2 | 0xef | 0xf3);
        table[byte] = (control || begins) as u8;
        byte += 1;
    }
    table
}

impl fmt::Debug for TerminalMasker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalMasker")
            .field("set", &self.set)
            .field("style", &self.style)
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
