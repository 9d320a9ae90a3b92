//! Which column of a result wears which mask, what an error text may still say, and which values may not be copied.

pub(crate) mod lift;
mod moves;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;

use std::borrow::Cow;

use mask::{DetectorSet, Format, Hit, Masked, Masker, Style, TerminalMasker, ValueType};
use model::{Aggregates, ColumnRef, Intent, MaskRule, MaskStyle, Notifications, SourceColumn};
use policy::covers;

use lift::Lift;

/// Where a result column's values can come from, as the protocol knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Proven to carry no column's value.
    Clean,
    /// One column's value, unchanged, under each of these names.
    Same(Vec<ColumnRef>),
    /// Made of these columns and no others.
    Columns(Vec<SourceColumn>),
    /// Not known.
    Unknown,
}

/// One column of a result.
#[derive(Clone, Debug)]
pub struct ColumnInfo<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// The protocol's type name or number.
    pub type_name: Cow<'a, str>,
    /// Its type, for masks that keep it.
    pub ty: ValueType,
    /// Text or binary.
    pub format: Format,
    /// The base table's column that the target, or the proof of the text, names as the origin.
    pub exact: Option<ColumnRef>,
    /// What the command's text tells.
    pub origin: Origin,
}

/// What happens to the values of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CellPlan {
    Pass,
    /// Passes as a statistic of masked columns.
    Aggregate,
    /// Masked but for a person's approval; detectors of other masks still look at it, where there are any.
    Lifted(Option<(ValueType, Format, Watch)>),
    Detect {
        ty: ValueType,
        format: Format,
    },
    Whole {
        style: Style,
        domain: String,
        ty: ValueType,
        format: Format,
    },
}

impl CellPlan {
    /// Whether values go as they are.
    pub(crate) const fn passes(&self) -> bool {
        matches!(self, Self::Pass | Self::Aggregate | Self::Lifted(None))
    }

    /// How a recording and `explain` name it; empty when values pass.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Pass => "",
            Self::Aggregate => "aggregate",
            Self::Lifted(_) => lift::LABEL,
            Self::Detect { .. } => "detect",
            Self::Whole { style, .. } => style.name(),
        }
    }
}

/// The masks of one session.
#[derive(Debug, Default)]
pub(crate) struct SessionMasks {
    rules: Vec<MaskRule>,
    watch: Option<Watch>,
}

/// What the rules that detect look for together, and how finds are hidden: in the strongest of their styles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    detectors: DetectorSet,
    style: Style,
}

impl Watch {
    fn of<'r>(rules: impl Iterator<Item = &'r MaskRule> + Clone) -> Option<Self> {
        let rules = rules.filter(|rule| !rule.detect.is_empty());
        let style = rules.clone().map(|rule| style_of(rule.style)).max()?;
        let names = rules.flat_map(|rule| &rule.detect).map(|name| name.as_str());
        // The names are those of a closed enum; one that the detectors did not know would mean all of them.
        let detectors = DetectorSet::parse(names).unwrap_or(DetectorSet::ALL);
        Some(Self { detectors, style })
    }
}

/// The text that stands for an error's or a notice's when it could carry masked data.
pub(crate) const WITHHELD: &str = "text withheld: it could carry masked data";

impl SessionMasks {
    pub(crate) fn new(rules: Vec<MaskRule>) -> Self {
        let watch = Watch::of(rules.iter());
        Self { rules, watch }
    }

    /// What looks at byte streams, where anything is looked for.
    pub(crate) fn scanner(&self, masker: &Masker) -> Option<TerminalMasker> {
        self.watch.map(|watch| TerminalMasker::new(masker.clone(), watch.detectors, watch.style))
    }

    /// Whether no mask applies.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn rules_for(&self, column: &ColumnRef) -> impl Iterator<Item = &MaskRule> {
        self.rules.iter().filter(move |rule| covers(rule, column))
    }

    fn style_for(&self, column: &ColumnRef) -> Option<Style> {
        self.rules_for(column).map(|rule| style_of(rule.style)).max()
    }

    /// The strongest style that values unchanged from these columns wear.
    fn strongest<'c>(&self, columns: impl IntoIterator<Item = &'c ColumnRef>) -> Option<Style> {
        columns.into_iter().filter_map(|column| self.style_for(column)).max()
    }

    /// The strongest style that something made of these wears. A rule may let statistics pass; where several mask the column, all must.
    fn strongest_of<'c>(&self, sources: impl IntoIterator<Item = &'c SourceColumn>) -> Option<Style> {
        let rules = sources.into_iter().flat_map(|source| {
            let passes = |rule: &&MaskRule| !(source.aggregated && rule.aggregates == Aggregates::Allow);
            self.rules_for(&source.column).filter(passes)
        });
        // What an expression did to the value is not known, so nothing of the result is shown.
        rules.map(|rule| style_of(rule.style).stronger(Style::Redact)).max()
    }

    /// Whether columns are masked by name.
    pub(crate) fn has_columns(&self) -> bool {
        self.rules.iter().any(|rule| !rule.columns.is_empty())
    }

    /// Whether what other sessions say is withheld: it could be made of masked columns.
    pub(crate) fn withholds_messages(&self) -> bool {
        self.rules.iter().any(|rule| !rule.columns.is_empty() && rule.notifications == Notifications::Withhold)
    }

    /// Whether the command could bring a masked value into a place that is not known.
    pub(crate) fn tainted(&self, intent: &Intent) -> bool {
        policy::moves::tainted(&self.rules, intent)
    }

    /// The plan of one column in a result for which masks were lifted.
    pub(crate) fn plan_lifted(&self, column: &ColumnInfo<'_>, tainted: bool, lift: &Lift) -> CellPlan {
        let plan = self.plan(column, tainted);
        if !matches!(plan, CellPlan::Whole { .. }) || !self.shows(column, lift) {
            return plan;
        }
        // A mask is lifted as a whole; what others look for is still hidden.
        let watch = Watch::of(self.rules.iter().filter(|rule| !lift.reaches(column, &rule.name)));
        CellPlan::Lifted(watch.filter(|_| may_hold_findings(column.ty)).map(|watch| (column.ty, column.format, watch)))
    }

    /// The plan of one column.
    pub(crate) fn plan(&self, column: &ColumnInfo<'_>, tainted: bool) -> CellPlan {
        if self.is_empty() {
            return CellPlan::Pass;
        }
        let whole = |style: Style, domain: &str| CellPlan::Whole {
            style,
            domain: domain.to_owned(),
            ty: column.ty,
            format: column.format,
        };
        if let Some(exact) = &column.exact {
            let derived = match &column.origin {
                Origin::Same(names) => self.strongest(names),
                // Something of another column is in it: a weak mask of the one could show it.
                Origin::Columns(sources) => self.strongest_of(sources.iter().filter(|other| other.column != *exact)),
                Origin::Clean | Origin::Unknown => None,
            };
            if let Some(style) = self.style_for(exact).max(derived) {
                return whole(style, &exact.column);
            }
            return self.detect(column);
        }
        match &column.origin {
            Origin::Clean => self.detect(column),
            Origin::Same(names) => match self.strongest(names) {
                Some(style) => whole(style.stronger(Style::Redact), "expression"),
                None => self.detect(column),
            },
            Origin::Columns(sources) => match self.strongest_of(sources) {
                Some(style) => whole(style, "expression"),
                None => match self.detect(column) {
                    CellPlan::Pass if self.strongest(sources.iter().map(|source| &source.column)).is_some() => {
                        CellPlan::Aggregate
                    }
                    plan => plan,
                },
            },
            Origin::Unknown if tainted => whole(Style::Redact, "unknown"),
            Origin::Unknown => self.detect(column),
        }
    }

    fn detect(&self, column: &ColumnInfo<'_>) -> CellPlan {
        if self.watch.is_some() && may_hold_findings(column.ty) {
            CellPlan::Detect { ty: column.ty, format: column.format }
        } else {
            CellPlan::Pass
        }
    }

    /// A text of the target for the client: as it is, with detected values masked, or withheld.
    pub(crate) fn scrub<'t>(&self, text: &'t str, tainted: bool, masker: &Masker) -> Cow<'t, str> {
        if tainted {
            return Cow::Borrowed(WITHHELD);
        }
        let Some(watch) = self.watch else {
            return Cow::Borrowed(text);
        };
        let mut hits = Vec::new();
        mask::scan(text.as_bytes(), watch.detectors, &mut hits);
        if hits.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = Vec::with_capacity(text.len());
        masker.detected(watch.style, &hits, text.as_bytes(), &mut out);
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
    }
}

const fn style_of(style: MaskStyle) -> Style {
    match style {
        MaskStyle::Partial => Style::Partial,
        MaskStyle::Token => Style::Token,
        MaskStyle::Hash => Style::Hash,
        MaskStyle::Redact => Style::Redact,
        MaskStyle::Fixed => Style::Fixed,
        MaskStyle::Null => Style::Null,
    }
}

/// Numbers, times and the like are not looked into: order numbers pass a checksum one time in ten, and altering honest data is a
/// fault too. A column that holds card numbers as numbers is named in `columns`.
const fn may_hold_findings(ty: ValueType) -> bool {
    match ty {
        ValueType::Text
        | ValueType::Json
        | ValueType::Jsonb
        | ValueType::Bytea
        | ValueType::Inet
        | ValueType::Array(_)
        | ValueType::Other => true,
        ValueType::Bool
        | ValueType::Int2
        | ValueType::Int4
        | ValueType::Int8
        | ValueType::Float4
        | ValueType::Float8
        | ValueType::Numeric
        | ValueType::Date
        | ValueType::Time
        | ValueType::Timestamp
        | ValueType::Timestamptz
        | ValueType::Uuid => false,
    }
}

/// What became of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// It may go as it is; nothing was written.
    Same,
    /// Its replacement was written.
    Written,
    /// It goes as NULL; nothing was written.
    Null,
}

/// Masks the values of one row for a protocol that rewrites its own message.
pub struct Cells<'a> {
    pub(crate) plan: &'a [CellPlan],
    pub(crate) masks: &'a SessionMasks,
    pub(crate) masker: &'a Masker,
    pub(crate) hits: &'a mut Vec<Hit>,
    pub(crate) masked: u64,
}

impl Cells<'_> {
    /// Masks the value of column `index`, appending a replacement to `out` when there is one. A column that the plan
    /// does not know goes as NULL: a row wider than its description is nothing that anyone looked at.
    pub fn cell(&mut self, index: usize, value: &[u8], out: &mut Vec<u8>) -> Cell {
        let cell = match self.plan.get(index) {
            Some(CellPlan::Pass | CellPlan::Aggregate | CellPlan::Lifted(None)) => return Cell::Same,
            Some(CellPlan::Whole { style, domain, ty, format }) => {
                shown(self.masker.typed(*style, domain, *ty, *format, value, out))
            }
            Some(CellPlan::Detect { ty, format }) => match self.detect(self.masks.watch, *ty, *format, value, out) {
                Cell::Same => return Cell::Same,
                changed => changed,
            },
            Some(CellPlan::Lifted(Some((ty, format, watch)))) => {
                match self.detect(Some(*watch), *ty, *format, value, out) {
                    Cell::Same => return Cell::Same,
                    changed => changed,
                }
            }
            None => Cell::Null,
        };
        self.masked += 1;
        cell
    }

    fn detect(&mut self, watch: Option<Watch>, ty: ValueType, format: Format, value: &[u8], out: &mut Vec<u8>) -> Cell {
        let Some(Watch { detectors, style }) = watch else {
            return Cell::Same;
        };
        match self.masker.content(style, detectors, ty, format, value, self.hits, out) {
            mask::Content::Clean => Cell::Same,
            mask::Content::Bytes => Cell::Written,
            mask::Content::Null => Cell::Null,
        }
    }
}

const fn shown(masked: Masked) -> Cell {
    match masked {
        Masked::Bytes => Cell::Written,
        Masked::Null => Cell::Null,
    }
}
