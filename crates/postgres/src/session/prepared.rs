//! Prepared statements and portals as the session knows them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use gate::{Returned, Ticket};
use model::Intent;

use crate::classify::Text;
use crate::names::Named;
use crate::wire::{Field, Format};

/// One column of a described result, as far as masks and recordings need it.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) name: Box<str>,
    pub(crate) table: u32,
    pub(crate) attribute: i16,
    pub(crate) ty: u32,
    pub(crate) format: Format,
}

impl Shape {
    pub(crate) fn of(field: &Field<'_>) -> Self {
        Self {
            name: field.name.lossy().into(),
            table: field.table_oid,
            attribute: field.attribute,
            ty: field.type_oid,
            format: field.format,
        }
    }
}

/// A prepared statement.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The statement's text, as the client sent it.
    pub(crate) sql: Rc<str>,
    /// Its analysis when it was prepared; judged anew when names have changed since.
    pub(crate) text: Rc<Text>,
    /// Types of its parameters as declared or, once described, as the target has them.
    pub(crate) types: RefCell<Vec<u32>>,
    /// The same as the client declared them.
    pub(crate) declared: Box<[u32]>,
    /// Its result as last described, with the names for which that held.
    pub(crate) columns: RefCell<Option<(u64, Rc<[Shape]>)>>,
    /// The statement came by SQL PREPARE: bind values are not ours to see.
    pub(crate) by_sql: bool,
}

/// A portal, or an SQL cursor.
#[derive(Debug)]
pub(crate) struct Portal {
    /// What it was allowed for.
    pub(crate) ticket: Ticket,
    pub(crate) prepared: Rc<Prepared>,
    /// What it runs; the text under the names of the moment it was bound.
    pub(crate) text: Rc<Text>,
    pub(crate) intent: Arc<Intent>,
    pub(crate) values: Vec<Option<String>>,
    /// Format codes of its result: none, one for all, or one each.
    pub(crate) formats: Box<[Format]>,
    /// The text with what the names in it stood for when it was bound; nothing where it has no names.
    pub(crate) refers_to: Option<Box<str>>,
    /// Its result as described.
    pub(crate) columns: RefCell<Option<Rc<[Shape]>>>,
    /// What it has returned so far, where it is read in pieces.
    pub(crate) returned: Cell<Returned>,
    /// The portal that this is, with what it refers to resolved anew.
    pub(crate) of: Option<Rc<Portal>>,
}

impl Named for Rc<Prepared> {
    fn bytes(&self) -> usize {
        self.sql.len()
    }
}

impl Named for Rc<Portal> {
    fn bytes(&self) -> usize {
        self.values.iter().flatten().map(String::len).sum()
    }
}

impl Portal {
    /// Keeps what it has returned so far.
    pub(crate) fn has_returned(&self, returned: Returned) {
        self.returned.set(returned);
        if let Some(portal) = &self.of {
            portal.returned.set(returned);
        }
    }

    /// The result's columns: described for this portal, or for its statement with the formats of this portal.
    pub(crate) fn shape(&self) -> Option<Rc<[Shape]>> {
        if let Some(columns) = self.columns.borrow().as_ref() {
            return Some(Rc::clone(columns));
        }
        let described = self.prepared.columns.borrow();
        let (names, columns) = described.as_ref()?;
        if *names != self.text.names {
            return None;
        }
        let shaped: Rc<[Shape]> = columns
            .iter()
            .enumerate()
            .map(|(index, shape)| Shape { format: self.format(index), ..shape.clone() })
            .collect();
        *self.columns.borrow_mut() = Some(Rc::clone(&shaped));
        Some(shaped)
    }

    /// The format of a result column: text when no code was given, the only one when one was.
    pub(crate) fn format(&self, index: usize) -> Format {
        match self.formats.as_ref() {
            [] => Format::Text,
            [one] => *one,
            many => many.get(index).copied().unwrap_or(Format::Text),
        }
    }
}
