//! The fuzzer of `targets::backend`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport_fuzz::driver::main(&sallyport_fuzz::targets::backend::TARGET)
}
