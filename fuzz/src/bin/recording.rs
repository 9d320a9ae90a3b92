//! The fuzzer of `targets::recording`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport_fuzz::driver::main(&sallyport_fuzz::targets::recording::TARGET)
}
