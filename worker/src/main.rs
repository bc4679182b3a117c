//! The program `classify-worker`; its documentation is that of the library.

fn main() -> std::process::ExitCode {
    classify_worker::main()
}
