//! Rows and COPY data of the target: described, masked, recorded, and only then for the client.

use gate::{Flow, Refusal};
use sql::Kind;

use super::target::{Owner, UNASKED};
use super::{End, Relay, Step, columns};
use crate::content::Row;
use crate::content::copy::CopyRows;
use crate::wire::limits::HEADER;
use crate::wire::{CopyResponse, DataRow, Format, Frame};

impl Relay {
    /// The flow of the result at hand, begun if this is its first row.
    pub(super) fn take_flow(&mut self, whole: &[u8]) -> Result<Flow, Step> {
        if let Some(flow) = self.active.flow.take() {
            return Ok(flow);
        }
        let Some(owner) = self.owner() else {
            return Err(UNASKED);
        };
        let mut flow = self.session.begin(owner.ticket(), owner.intent());
        let described = match &owner {
            Owner::Portal(portal) => {
                flow.continues(portal.returned.get());
                let outputs = self.outputs_of_portal(portal);
                if let Some(shapes) = portal.shape() {
                    let columns = columns::described(&shapes, &outputs, &self.names.catalog);
                    self.session.describe(&mut flow, &columns, false)
                } else {
                    let count = row_width(whole);
                    let columns = columns::undescribed(count, &outputs, |index| portal.format(index));
                    self.session.describe(&mut flow, &columns, false)
                }
            }
            Owner::Run(run) => {
                let outputs = self.outputs_of_run(run, self.active.index);
                let columns = columns::undescribed(row_width(whole), &outputs, |_| Format::Text);
                self.session.describe(&mut flow, &columns, false)
            }
        };
        described.map_err(|refusal| Step::End(End::Refused(Box::new(refusal))))?;
        Ok(flow)
    }

    pub(super) fn data_row(&mut self, frame: Frame<'_>) -> Step {
        let mut flow = match self.take_flow(frame.whole) {
            Ok(flow) => flow,
            Err(step) => return step,
        };
        let released = self.session.release_row(&mut flow, &Row::new(frame.whole), &mut self.to_client);
        self.look_at_limits(&flow);
        self.active.flow = Some(flow);
        match released {
            Ok(()) => Step::Go,
            Err(refusal) => Step::End(End::Refused(Box::new(refusal))),
        }
    }

    pub(super) fn copy_out(&mut self, response: &CopyResponse<'_>, whole: &[u8]) -> Step {
        let Some(owner) = self.owner() else {
            return UNASKED;
        };
        let (statement, outputs) = match &owner {
            Owner::Run(run) => {
                (run.text.analysis.statements.get(self.active.index), self.outputs_of_run(run, self.active.index))
            }
            Owner::Portal(portal) => (portal.text.analysis.statements.first(), self.outputs_of_portal(portal)),
        };
        let format = match statement.map(|statement| &statement.kind) {
            Some(Kind::CopyOut { format }) => format.clone(),
            // A COPY that the text did not announce cannot be read row by row.
            _ => return UNASKED,
        };
        let binary = response.format == Format::Binary;
        if binary != (format == sql::CopyFormat::Binary) {
            return UNASKED;
        }
        let mut flow = self.session.begin(owner.ticket(), owner.intent());
        let columns = columns::copied(response.columns(), &outputs, binary);
        if let Err(refusal) = self.session.describe(&mut flow, &columns, true) {
            return Step::End(End::Refused(Box::new(refusal)));
        }
        self.active.flow = Some(flow);
        self.active.copy = Some(format);
        self.active.copy_first = true;
        self.forward(whole)
    }

    pub(super) fn copy_out_data(&mut self, frame: Frame<'_>) -> Step {
        let (Some(mut flow), Some(format)) = (self.active.flow.take(), self.active.copy.take()) else {
            return UNASKED;
        };
        let rows = CopyRows { whole: frame.whole, format: &format, first: self.active.copy_first };
        let released = self.session.release_row(&mut flow, &rows, &mut self.to_client);
        self.look_at_limits(&flow);
        self.active.copy_first = false;
        self.active.flow = Some(flow);
        self.active.copy = Some(format);
        match released {
            Ok(()) => Step::Go,
            Err(refusal) => Step::End(End::Refused(Box::new(refusal))),
        }
    }

    /// The rest of a message too large to hold: only a result in which nothing is masked may be passed on in pieces.
    pub(crate) fn oversized(&mut self, header: &[u8], body: usize) -> Result<(), Step> {
        let mut flow = match header.first() {
            Some(b'D') => self.take_flow(header)?,
            Some(b'd') => self.active.flow.take().ok_or(UNASKED)?,
            _ => {
                return Err(Step::End(End::Broken("the target sent a message above the limit")));
            }
        };
        let first = header.get(..HEADER).unwrap_or(header);
        let rest = header.get(HEADER..).unwrap_or_default();
        self.active.streaming = body.saturating_sub(rest.len());
        if !self.session.admits(&mut flow, body) {
            self.look_at_limits(&flow);
            self.active.flow = Some(flow);
            return Ok(());
        }
        let released = self
            .session
            .release_part(&mut flow, first, &[], true, &mut self.to_client)
            .and_then(|()| self.session.release_part(&mut flow, rest, rest, false, &mut self.to_client));
        self.active.flow = Some(flow);
        released.map_err(|refusal| Step::End(End::Refused(Box::new(refusal))))
    }

    /// Bytes of an oversized message; how many were taken.
    pub(crate) fn stream(&mut self, bytes: &[u8]) -> Result<usize, Step> {
        let part = bytes.get(..self.active.streaming.min(bytes.len())).unwrap_or_default();
        if part.is_empty() {
            return Ok(0);
        }
        let mut flow = self.active.flow.take().ok_or(UNASKED)?;
        let released = if flow.is_cut() {
            Ok(())
        } else {
            self.session.release_part(&mut flow, part, part, false, &mut self.to_client)
        };
        self.active.flow = Some(flow);
        self.active.streaming -= part.len();
        released.map_err(|refusal| Step::End(End::Refused(Box::new(refusal))))?;
        Ok(part.len())
    }

    /// Records the rows that wait in the client's outbox.
    pub(crate) fn settle_rows(&mut self) -> Result<(), Refusal> {
        self.session.settle(self.active.flow.as_mut(), &mut self.to_client)
    }

    /// The session ends in the middle of a result: it is recorded as far as it came.
    pub(crate) fn give_up(&mut self, why: &str) -> Result<(), Refusal> {
        self.settle_rows()?;
        self.active.flow.take().map_or(Ok(()), |flow| self.session.finish(flow, "", Some(("57P01", why))))
    }

    /// Whether this part of a row may be passed on before the rest is here: nothing in its result is masked.
    pub(crate) fn can_stream(&mut self, part: &[u8]) -> bool {
        match part.first() {
            Some(b'D') => match self.take_flow(part) {
                Ok(flow) => {
                    let passes = flow.passes() || flow.is_cut();
                    self.active.flow = Some(flow);
                    passes
                }
                Err(_) => false,
            },
            Some(b'd') => self.active.flow.as_ref().is_some_and(|flow| flow.passes() || flow.is_cut()),
            _ => false,
        }
    }

    /// Whether an oversized message is under way.
    pub(crate) const fn streaming(&self) -> bool {
        self.active.streaming > 0
    }
}

/// The columns that a DataRow says it has.
fn row_width(whole: &[u8]) -> usize {
    DataRow::parse(whole.get(HEADER..).unwrap_or_default()).map_or(0, |row| row.len())
}
