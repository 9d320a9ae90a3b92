//! What was found in any of the texts, as places in the bytes.

use std::ops::Range;

use crate::detector::Detector;
use crate::scan::{Hit, Open};
use crate::stream::Hiding;

use super::view::View;

/// The places of a value's bytes, ascending.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Places {
    /// One after the other.
    Run(Range<usize>),
    /// With something between them.
    Apart(Vec<usize>),
}

impl Places {
    /// Places in ascending order.
    pub(super) fn of(places: Vec<usize>) -> Self {
        match (places.first().copied(), places.last().copied()) {
            (Some(first), Some(last)) if last - first + 1 == places.len() => Self::Run(first..last + 1),
            _ => Self::Apart(places),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Run(range) => range.len(),
            Self::Apart(places) => places.len(),
        }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let (run, apart) = match self {
            Self::Run(range) => (range.clone(), &[][..]),
            Self::Apart(places) => (0..0, places.as_slice()),
        };
        run.chain(apart.iter().copied())
    }
}

/// A value, wherever its characters lie.
#[derive(Clone, Debug)]
pub(super) struct Find {
    pub(super) detector: Detector,
    /// Where its bytes are.
    pub(super) places: Places,
    /// Its bytes in the order in which they are read.
    pub(super) value: Vec<u8>,
    /// Whether they are read in the order in which they came.
    pub(super) in_order: bool,
    /// What may still come of it.
    pub(super) open: Option<Hiding>,
    /// Whether it is not certain: its characters are hidden one by one.
    pub(super) doubtful: bool,
}

impl Find {
    /// The place of its first byte.
    pub(super) fn first(&self) -> usize {
        self.places.iter().next().unwrap_or(0)
    }

    /// The place of its last byte.
    pub(super) fn last(&self) -> usize {
        match &self.places {
            Places::Run(range) => range.end.saturating_sub(1),
            Places::Apart(places) => places.last().copied().unwrap_or(0),
        }
    }
}

/// Adds the hits in a text of bytes as they came, from `from` on.
pub(super) fn in_bytes(bytes: &[u8], from: usize, (hits, open): (&[Hit], &Open), finds: &mut Vec<Find>) {
    for (index, hit) in hits.iter().enumerate().filter(|(_, hit)| hit.range.end > from) {
        let after = bytes.get(hit.range.end..).unwrap_or_default();
        finds.push(Find {
            detector: hit.detector,
            places: Places::Run(hit.range.clone()),
            value: bytes.get(hit.range.clone()).unwrap_or_default().to_vec(),
            in_order: true,
            open: if index + 1 == hits.len() { Hiding::of(open, after) } else { None },
            doubtful: false,
        });
    }
}

/// Adds the hits in a view that reach beyond `from`. Blank cells of a line have places beyond the bytes, and are left out.
pub(super) fn in_view(view: &View, end: usize, from: usize, (hits, open): (&[Hit], &Open), finds: &mut Vec<Find>) {
    for (index, hit) in hits.iter().enumerate() {
        let mut places: Vec<usize> = view.at.get(hit.range.clone()).unwrap_or_default().to_vec();
        places.retain(|place| *place < end);
        if places.iter().all(|place| *place < from) {
            continue;
        }
        let in_order = places.is_sorted();
        places.sort_unstable();
        let after = view.text.get(hit.range.end..).unwrap_or_default();
        finds.push(Find {
            detector: hit.detector,
            places: Places::of(places),
            value: view.text.get(hit.range.clone()).unwrap_or_default().to_vec(),
            in_order,
            open: if index + 1 == hits.len() { Hiding::of(open, after) } else { None },
            doubtful: false,
        });
    }
}

/// Sorts finds and joins those that lie over each other, so that they are apart.
pub(super) fn join(bytes: &[u8], finds: &mut Vec<Find>) {
    finds.sort_by_key(|find| (find.first(), find.detector));
    let mut joined: Vec<Find> = Vec::with_capacity(finds.len());
    for find in finds.drain(..) {
        match joined.last_mut() {
            Some(last) if find.first() <= last.last() => merge(bytes, last, find),
            _ => joined.push(find),
        }
    }
    *finds = joined;
}

fn merge(bytes: &[u8], into: &mut Find, find: Find) {
    into.open = into.open.or(find.open);
    if into.places == find.places {
        return;
    }
    let mut places: Vec<usize> = into.places.iter().chain(find.places.iter()).collect();
    places.sort_unstable();
    places.dedup();
    into.places = Places::of(places);
    into.value = into.places.iter().filter_map(|place| bytes.get(place).copied()).collect();
    into.in_order = true;
}
