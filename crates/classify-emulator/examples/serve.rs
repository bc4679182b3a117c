//! The emulator as a process of its own: `cargo run --example serve -- --port 8080`.
//!
//! The options are few on purpose: this is what the scripts around the official clients start. The command line of
//! this project has the same with help worth reading.

use std::io;
use std::time::Duration;

use classify_emulator::{Config, FaultRule, Faults, Limits, run};

fn main() -> io::Result<()> {
    let mut config = Config::default();
    let mut port_file = None;
    let mut faults = Faults::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || {
            let missing =
                || io::Error::new(io::ErrorKind::InvalidInput, format!("{name} needs a value"));
            arguments.next().ok_or_else(missing)
        };
        config = match name.as_str() {
            "--port" => config.port(number(&value()?)?),
            "--port-file" => {
                port_file = Some(value()?);
                config
            }
            "--state" => config.state_file(value()?),
            "--scenario" => config.scenario_file(value()?)?,
            "--fault" => {
                let rule: FaultRule = value()?.parse().map_err(io::Error::other)?;
                faults = faults.with(rule);
                config.faults(faults.clone())
            }
            "--seed" => config.seed(number(&value()?)?),
            "--running-after-ms" => config.running_after(Duration::from_millis(number(&value()?)?)),
            "--completed-after-ms" => {
                config.completed_after(Duration::from_millis(number(&value()?)?))
            }
            "--webhook-delay-ms" => config.webhook_delay(Duration::from_millis(number(&value()?)?)),
            "--virtual-clock" => config.virtual_clock(),
            "--no-limits" => config.limits(Limits::none()),
            "--loopback-webhooks" => config.loopback_webhooks(true),
            other => {
                let text = format!("{other} is not an option; see the source of this example");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        };
    }
    run(config, |emulator| {
        if let Some(path) = &port_file {
            std::fs::write(path, emulator.address().port().to_string())?;
        }
        println!("{}", emulator.base_url());
        Ok(())
    })
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("`{text}` is no number that fits"),
        )
    })
}
