//! The fuzzer of `targets::analyze`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport_fuzz::driver::main(&sallyport_fuzz::targets::analyze::TARGET)
}
