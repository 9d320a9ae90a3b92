//! The bytes of a terminal as texts that a person, or a program that drops control functions, would read.
//!
//! One text is not enough. A colour change inside a token must vanish (*joined*); a jump of the cursor puts what follows
//! somewhere else, where it stands alone (*apart*); a back space may take back what was written (*erased*); and a line that is
//! edited shows what was written last (*lines*). A value counts when it is in any of them.

use terminal::{Csi, Kind, StringKind, Token, Tokens};

/// A text, and where each of its bytes is.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) text: Vec<u8>,
    pub(super) at: Vec<usize>,
}

impl View {
    fn clear(&mut self) {
        self.text.clear();
        self.at.clear();
    }

    fn push(&mut self, byte: u8, at: usize) {
        self.text.push(byte);
        self.at.push(at);
    }

    fn extend(&mut self, bytes: &[u8], at: usize) {
        self.text.extend_from_slice(bytes);
        self.at.extend(at..at + bytes.len());
    }

    fn pop(&mut self) {
        self.text.pop();
        self.at.pop();
    }

    /// Takes back the last character.
    fn erase(&mut self) {
        if matches!(self.text.last(), None | Some(b'\n' | b'\r' | b'\t')) {
            return;
        }
        while self.text.last().is_some_and(|byte| byte & 0xc0 == 0x80) {
            self.pop();
        }
        self.pop();
    }

    /// A place that no value reaches over.
    fn part(&mut self, at: usize) {
        if self.text.last() != Some(&0) {
            self.push(0, at);
        }
    }

    /// The first place of the text from `index` on; `end` past it.
    pub(super) fn first_from(&self, index: usize, end: usize) -> usize {
        self.at.get(index..).and_then(|places| places.iter().min()).copied().unwrap_or(end)
    }
}

/// The texts of some bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Views {
    /// Control functions left out.
    pub(super) joined: View,
    /// With a mark where the cursor moves and around control strings, whose bodies are text too.
    pub(super) apart: View,
    /// As joined, but a back space takes back the character before it.
    pub(super) erased: View,
    /// What else there is than text: whether `apart` differs from `joined`, `erased` from it, and whether lines were edited.
    pub(super) moved: bool,
    pub(super) backed: bool,
    pub(super) edited: bool,
    /// Where a control function begins that is not whole; the end otherwise.
    pub(super) whole: usize,
    /// The control string that the bytes end inside of.
    pub(super) string: Option<StringKind>,
    /// The bytes cut into text and control functions, for [`Views::lines`].
    tokens: Vec<Piece>,
    /// How many bytes were read, from the same start as the next.
    read: usize,
    /// The line as some of the tokens left it, and how many.
    line: Line,
    seen: usize,
}

/// A token, small: of coloured or edited output there are nearly as many as bytes.
#[derive(Clone, Copy, Debug)]
struct Piece {
    kind: Kind,
    start: u32,
    end: u32,
}

impl Piece {
    /// What is read at once is far below 4 GiB.
    fn of(token: &Token, start: usize) -> Self {
        let place = |at| u32::try_from(start + at).unwrap_or(u32::MAX);
        Self { kind: token.kind, start: place(token.range.start), end: place(token.range.end) }
    }

    const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Views {
    /// Reads bytes that begin inside of `string`. Unless [`forget`](Self::forget) was called since, they begin with those that were read before,
    /// and only what is new is looked at: a letter that is typed is not to cost a look at the whole line.
    pub(super) fn read(&mut self, bytes: &[u8], string: Option<StringKind>) {
        let fresh = bytes.get(self.read..).unwrap_or_default();
        // What was not whole is read anew: a control function, or what may be the end of a control string. The first back space makes another text.
        let whole = self.whole == self.read && bytes.get(self.read.wrapping_sub(1)).is_some_and(|last| *last != 0xc2);
        let goes_on = whole && (self.backed || !fresh.contains(&0x08));
        if !goes_on {
            self.clear(string);
        }
        let start = self.read;
        let fresh = bytes.get(start..).unwrap_or_default();
        self.backed = self.backed || fresh.contains(&0x08);
        (self.read, self.whole) = (bytes.len(), bytes.len());
        let mut tokens = Tokens::new(fresh, self.string);
        for token in tokens.by_ref() {
            let piece = Piece::of(&token, start);
            self.token(piece, bytes);
            match self.tokens.last_mut() {
                Some(last) if (last.kind, piece.kind) == (Kind::Text, Kind::Text) => last.end = piece.end,
                _ => self.tokens.push(piece),
            }
        }
        self.string = tokens.string();
    }

    /// The bytes that are read next begin elsewhere.
    pub(super) const fn forget(&mut self) {
        self.read = 0;
    }

    fn clear(&mut self, string: Option<StringKind>) {
        self.joined.clear();
        self.apart.clear();
        self.erased.clear();
        self.tokens.clear();
        (self.moved, self.edited, self.backed) = (false, false, false);
        (self.read, self.string) = (0, string);
        (self.line, self.seen) = (Line::default(), 0);
    }

    fn token(&mut self, token: Piece, bytes: &[u8]) {
        let (at, piece) = (token.range().start, bytes.get(token.range()).unwrap_or_default());
        match token.kind {
            Kind::Text => self.each(|view| view.extend(piece, at)),
            Kind::Control(control) => self.control(control, bytes, at),
            Kind::Csi => {
                if let Some(csi) = Csi::read(piece).filter(|csi| !csi.stays()) {
                    self.edited |= is_edit(csi.last);
                    self.part(at);
                }
            }
            Kind::Escape(b'D' | b'E') => self.each(|view| view.push(b'\n', at)),
            Kind::Escape(b'8' | b'M' | b'H' | b'c') | Kind::StringStart(_) | Kind::StringEnd(_) => self.part(at),
            Kind::Payload(_) => {
                self.moved = true;
                self.apart.extend(piece, at);
            }
            Kind::Incomplete => self.whole = at,
            Kind::ZeroWidth | Kind::Escape(_) => {}
        }
    }

    fn each(&mut self, mut push: impl FnMut(&mut View)) {
        push(&mut self.joined);
        push(&mut self.apart);
        if self.backed {
            push(&mut self.erased);
        }
    }

    fn part(&mut self, at: usize) {
        self.moved = true;
        self.apart.part(at);
    }

    fn control(&mut self, control: u8, bytes: &[u8], at: usize) {
        match control {
            b'\n' | b'\t' => self.each(|view| view.push(control, at)),
            0x0b | 0x0c => self.each(|view| view.push(b'\n', at)),
            b'\r' if bytes.get(at + 1) == Some(&b'\n') => self.each(|view| view.push(control, at)),
            b'\r' => {
                self.edited = true;
                if at + 1 == bytes.len() {
                    // What follows says whether it ends the line.
                    self.whole = at;
                }
                // A space and a carriage return are how a command line goes on at the right margin.
                let wraps = at > 0 && bytes.get(at - 1) == Some(&b' ');
                if wraps {
                    self.each(View::pop);
                } else {
                    self.part(at);
                }
            }
            0x08 => {
                self.edited = true;
                self.part(at);
                self.erased.erase();
            }
            _ => {}
        }
    }
}

/// Sequences that change or move along the line that the cursor is in.
const fn is_edit(last: u8) -> bool {
    matches!(last, b'C' | b'D' | b'G' | b'K' | b'P' | b'@' | b'X' | b'`' | b'a')
}

/// Cells of a line that are looked at together. Screens are narrower; a longer line is read in parts.
const MAX_CELLS: usize = 1024;

/// One line as it is shown while it is written, changed and written over.
#[derive(Clone, Debug, Default)]
struct Line {
    /// Where the character of each cell is, and its bytes; nothing for a blank one.
    cells: Vec<(usize, usize)>,
    cursor: usize,
    edited: bool,
    written: bool,
    /// Where the character ends that was written last: its last byte.
    last: usize,
}

impl Views {
    /// Goes through edited lines and gives each state that a line was left in: when the cursor was set back, and when the line ended. States with
    /// nothing that was written from `from` on are left out. The flag tells of the text before the cursor at the end of the bytes, to which more
    /// will be written. The bytes are those that were read last.
    pub(super) fn lines(&mut self, bytes: &[u8], from: usize, mut each: impl FnMut(&View, bool)) {
        // More may be added to the last one.
        let before = |token: &Piece| token.range().end <= from;
        let kept = self.tokens.split_last().map_or(&[][..], |(_, kept)| kept);
        for token in kept.get(self.seen..).unwrap_or_default().iter().take_while(|token| before(token)) {
            self.line.step(*token, bytes, &mut |_, _| {});
            self.seen += 1;
        }
        let mut view = View::default();
        let mut each = |line: &Line, growing| {
            if growing || line.last >= from {
                line.show(bytes, &mut view);
                each(&view, growing);
            }
        };
        let mut line = self.line.clone();
        for token in self.tokens.get(self.seen..).unwrap_or_default() {
            line.step(*token, bytes, &mut each);
        }
        if line.edited {
            line.cells.truncate(line.cursor);
            each(&line, true);
        }
    }
}

impl Line {
    fn step(&mut self, token: Piece, bytes: &[u8], each: &mut impl FnMut(&Self, bool)) {
        let piece = bytes.get(token.range()).unwrap_or_default();
        let csi = if token.kind == Kind::Csi { Csi::read(piece).filter(|csi| !csi.stays()) } else { None };
        match (token.kind, csi) {
            (Kind::Text, _) => {
                if self.cells.len() > MAX_CELLS {
                    self.leave(each);
                    *self = Self::default();
                }
                self.write(piece, token.range().start);
            }
            (Kind::Control(0x08 | b'\r'), _) => {
                self.leave(each);
                self.edited = true;
                self.cursor = if piece == b"\r" { 0 } else { self.cursor.saturating_sub(1) };
            }
            (_, Some(csi)) if is_edit(csi.last) => {
                // To the right of all that is written nothing is lost.
                if self.cursor < self.cells.len() || !matches!(csi.last, b'C' | b'a' | b'K' | b'X' | b'P' | b'@') {
                    self.leave(each);
                }
                self.edit(&csi);
            }
            (Kind::Control(b'\n' | 0x0b | 0x0c) | Kind::Escape(b'8' | b'D' | b'E' | b'M' | b'H' | b'c'), _)
            | (_, Some(_)) => {
                self.leave(each);
                *self = Self::default();
            }
            (Kind::Control(b'\t'), _) => self.blank(1),
            _ => {}
        }
    }

    fn write(&mut self, text: &[u8], at: usize) {
        self.written = true;
        let mut start = 0;
        while start < text.len() {
            let more = text.get(start + 1..).unwrap_or_default();
            let length = 1 + more.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
            self.put((at + start, length));
            start += length;
            self.last = at + start - 1;
        }
    }

    fn put(&mut self, cell: (usize, usize)) {
        if self.cells.len() < self.cursor {
            self.cells.resize(self.cursor, (0, 0));
        }
        match self.cells.get_mut(self.cursor) {
            Some(place) => *place = cell,
            None => self.cells.push(cell),
        }
        self.cursor += 1;
    }

    fn blank(&mut self, count: usize) {
        for _ in 0..count {
            self.put((0, 0));
        }
    }

    fn edit(&mut self, csi: &Csi<'_>) {
        self.edited = true;
        let count = csi.number(0, 1).min(MAX_CELLS);
        match csi.last {
            b'C' | b'a' => self.cursor = (self.cursor + count).min(MAX_CELLS),
            b'D' => self.cursor = self.cursor.saturating_sub(count),
            b'G' | b'`' => self.cursor = count - 1,
            b'K' if csi.number(0, 0) == 0 => self.cells.truncate(self.cursor),
            b'K' => self.cells.iter_mut().take(self.cursor + 1).for_each(|cell| *cell = (0, 0)),
            b'X' => self.cells.iter_mut().skip(self.cursor).take(count).for_each(|cell| *cell = (0, 0)),
            b'P' => {
                let end = (self.cursor + count).min(self.cells.len());
                if self.cursor < end {
                    self.cells.drain(self.cursor..end);
                }
            }
            b'@' if self.cursor < self.cells.len() => {
                self.cells.splice(self.cursor..self.cursor, std::iter::repeat_n((0, 0), count));
                self.cells.truncate(2 * MAX_CELLS);
            }
            _ => {}
        }
    }

    /// Gives the line as it is, unless nothing was written since or it was never edited.
    fn leave(&mut self, each: &mut impl FnMut(&Self, bool)) {
        if self.edited && self.written {
            each(self, false);
        }
        self.written = false;
    }

    fn show(&self, bytes: &[u8], view: &mut View) {
        view.clear();
        for (at, length) in &self.cells {
            match bytes.get(*at..at + length) {
                Some(char) if *length > 0 => view.extend(char, *at),
                _ => view.push(b' ', bytes.len()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(one: &Views, other: &Views) -> bool {
        let text = |view: &View| (view.text.clone(), view.at.clone());
        let texts = |views: &Views| (text(&views.joined), text(&views.apart), text(&views.erased));
        let rest = |views: &Views| (views.moved, views.backed, views.edited, views.whole, views.string);
        texts(one) == texts(other) && rest(one) == rest(other)
    }

    type Lines = Vec<(Vec<u8>, Vec<usize>, bool)>;

    fn lines(views: &mut Views, bytes: &[u8], from: usize) -> Lines {
        let mut all = Vec::new();
        views.lines(bytes, from, |view, growing| all.push((view.text.clone(), view.at.clone(), growing)));
        all
    }

    proptest! {
        #[test]
        fn what_comes_in_pieces_is_read_as_at_once(
            pieces in prop::collection::vec(prop::collection::vec(prop_oneof![
                prop::sample::select(b"a 1\r\n\t\x08\x1b[]KCDm8cP\\\x07\xc3\xa9\xe2\x80\x8b\xc2\x9b\x18;".to_vec()),
                any::<u8>(),
            ], 0..6), 0..12),
            from in prop::collection::vec(0_usize..6, 12),
        ) {
            let (mut bytes, mut pieced, mut released) = (Vec::new(), Views::default(), 0);
            for (piece, more) in pieces.iter().zip(&from) {
                bytes.extend_from_slice(piece);
                released = (released + more).min(bytes.len());
                pieced.read(&bytes, None);
                let mut whole = Views::default();
                whole.read(&bytes, None);
                prop_assert!(same(&pieced, &whole), "{bytes:?}\n{pieced:?}\n{whole:?}");
                // Of states that were left, those count that have something new in them.
                let fresh = |all: Lines| -> Lines {
                    let new = |at: &[usize]| at.iter().any(|at| (released..bytes.len()).contains(at));
                    all.into_iter().filter(|(_, at, growing)| *growing || new(at)).collect()
                };
                prop_assert_eq!(fresh(lines(&mut pieced, &bytes, released)), fresh(lines(&mut whole, &bytes, 0)));
            }
        }
    }
}
