//! The fuzzer of `targets::terminal`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport_fuzz::driver::main(&sallyport_fuzz::targets::terminal::TARGET)
}
