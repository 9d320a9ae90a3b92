//! The fuzzer of `targets::startup`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport_fuzz::driver::main(&sallyport_fuzz::targets::startup::TARGET)
}
