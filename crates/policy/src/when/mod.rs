//! `when`: a condition in CEL for what the typed keys cannot say.
//!
//! The text comes from the policy's author, the values may come from a hostile client. So the text is checked before it
//! is accepted ([`check`]: known names only, nothing that builds data, few nested loops), the values are bounded before
//! an evaluation ([`values`]), and an evaluation that fails, or is not a boolean, counts against the client.
//!
//! - [`check`]: what an expression may use, and what it uses
//! - [`values`]: what it may look at

mod check;
pub(crate) mod values;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::common::types::CelBool;
use cel::{Context, Env, ExecutionError, IdedExpr, Value};

pub(crate) use check::Uses;
use values::Values;

/// The longest expression, in bytes.
pub(crate) const MAX_WHEN_BYTES: usize = 2048;

/// How deep the grammar may recurse; each level of brackets or unary operators is several levels of it.
const MAX_RECURSION: u16 = 48;

/// Steps that all loops of one evaluation may take together.
const MAX_STEPS: usize = 200_000;

/// The functions and types of the CEL standard library, built once.
static LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled condition.
pub(crate) struct When {
    source: Box<str>,
    expression: IdedExpr,
    uses: Uses,
}

impl std::fmt::Debug for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "When({:?})", self.source)
    }
}

impl When {
    /// Compiles one. `command` says whether there is a command to look at: masks and limits apply to sessions.
    pub(crate) fn compile(source: &str, command: bool) -> Result<Self, String> {
        if source.trim().is_empty() {
            return Err("an empty condition: remove `when`, or write an expression".to_owned());
        }
        if source.len() > MAX_WHEN_BYTES {
            return Err(format!(
                "longer than {MAX_WHEN_BYTES} bytes: split the rule, or use the typed keys `who`, `on` and `if`"
            ));
        }
        check::nesting(source)?;
        let parsed = catch_unwind(|| {
            LIBRARY
                .parser()
                .max_recursion_depth(MAX_RECURSION)
                .enable_optional_syntax(false)
                .error_recovery_limit(4)
                .parse_with_source_info(source)
        });
        let (expression, info) = match parsed {
            Ok(Ok(parsed)) => parsed,
            Ok(Err(errors)) => return Err(syntax(&errors)),
            Err(_) => return Err("not an expression that can be read: simplify it".to_owned()),
        };
        let uses = check::check(&expression, command).map_err(|fault| {
            let at = info
                .offset_for(fault.id)
                .map_or_else(String::new, |(start, _)| format!(" (character {})", start.saturating_add(1)));
            format!("{}{at}", fault.message)
        })?;
        Ok(Self { source: source.into(), expression, uses })
    }

    /// What it looks at.
    pub(crate) const fn uses(&self) -> Uses {
        self.uses
    }

    /// Evaluates it. The error says why that was impossible, without any value.
    pub(crate) fn holds(&self, values: &Values<'_>) -> Result<bool, &'static str> {
        values.bounded()?;
        let longest = values.longest_list().max(self.uses.longest_literal);
        let turns = (0..self.uses.loop_depth).fold(1_usize, |turns, _| turns.saturating_mul(longest));
        if self.uses.loop_nodes.saturating_mul(turns) > MAX_STEPS {
            return Err("the lists it goes through are too long");
        }
        let run = || {
            let mut context = Context::with_env(Arc::clone(&LIBRARY));
            context.set_variable_resolver(values);
            match Value::resolve_val(&self.expression, &context) {
                Ok(value) => value
                    .as_ref()
                    .downcast_ref::<CelBool>()
                    .map(|value| *value.inner())
                    .ok_or("its result is not true or false"),
                Err(error) => Err(class(&error)),
            }
        };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err("the evaluation broke down"))
    }
}

/// What went wrong, without the values that the library's own text would show.
const fn class(error: &ExecutionError) -> &'static str {
    match error {
        ExecutionError::NoSuchKey(_) => "a key it names is absent",
        ExecutionError::NoSuchOverload(_)
        | ExecutionError::UnexpectedType { .. }
        | ExecutionError::ValuesNotComparable(..)
        | ExecutionError::UnsupportedTargetType { .. }
        | ExecutionError::NotSupportedAsMethod { .. }
        | ExecutionError::UnsupportedKeyType(_)
        | ExecutionError::UnsupportedBinaryOperator(..) => "a value has another type than it expects",
        ExecutionError::UndeclaredReference(_) => "a name it uses is not known",
        ExecutionError::IndexOutOfBounds(_) | ExecutionError::UnsupportedIndex(..) => "an index is outside of its list",
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "a division by zero",
        ExecutionError::Overflow(..) => "a number is too large",
        ExecutionError::FunctionError { .. } => "a function refused its argument",
        // The library may add kinds of failure; none may be taken for success.
        _ => "the evaluation failed",
    }
}

/// The parser's first complaint, in one line.
fn syntax(errors: &cel::ParseErrors) -> String {
    let Some(error) = errors.errors.first() else {
        return "not an expression".to_owned();
    };
    let mut message: String = error.msg.chars().take(160).collect();
    message = message.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"");
    let (line, column) = error.pos;
    if line > 1 {
        format!("not an expression: {message} (line {line} of it, character {column})")
    } else {
        format!("not an expression: {message} (character {column})")
    }
}

#[cfg(test)]
mod tests;
