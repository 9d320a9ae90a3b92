//! The fuzzer of `targets::shell`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport_fuzz::driver::main(&sallyport_fuzz::targets::shell::TARGET)
}
