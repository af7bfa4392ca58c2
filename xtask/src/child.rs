//! Running other programs so that a signal to us ends them too.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use servers::{Signal, send};

use crate::stop::{Interrupted, Stop};

/// Runs a program to its end; anything but success is an error.
pub(crate) fn run_program(stop: &Stop, command: &mut Command) -> Result<()> {
    run_while(stop, command, || Ok(()))
}

/// Like [`run_program`], and ends the program when `watch` fails.
pub(crate) fn run_while(
    stop: &Stop,
    command: &mut Command,
    mut watch: impl FnMut() -> Result<()>,
) -> Result<()> {
    stop.check()?;
    let name = name(command);
    let mut child = command.spawn().with_context(|| format!("start {name}"))?;
    let status = wait(stop, &mut child, &mut watch).with_context(|| format!("run {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// Like [`run_program`], and hands each line the program writes to its standard error to `each` while it comes.
pub(crate) fn run_reading(
    stop: &Stop,
    command: &mut Command,
    mut each: impl FnMut(&str),
) -> Result<()> {
    stop.check()?;
    let name = name(command);
    let mut child =
        command.stderr(Stdio::piped()).spawn().with_context(|| format!("start {name}"))?;
    let stderr = child.stderr.take().context("its standard error")?;
    let (sender, lines) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut forward = || {
        for line in lines.try_iter() {
            each(&line);
        }
        Ok(())
    };
    let status = wait(stop, &mut child, &mut forward)?;
    reader.join().ok();
    forward()?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// The program's standard output, trimmed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = name(command);
    let done =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("start {name}"))?;
    if !done.status.success() {
        bail!("{name} failed ({})", done.status);
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

fn wait(
    stop: &Stop,
    child: &mut Child,
    watch: &mut dyn FnMut() -> Result<()>,
) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().context("wait for it")? {
            stop.check()?;
            return Ok(status);
        }
        if let Err(err) = watch() {
            end(child, Duration::ZERO);
            return Err(err);
        }
        if stop.tick().is_err() {
            // In a terminal Ctrl-C has reached the program as well: leave it a moment to end by itself.
            end(child, Duration::from_secs(2));
            return Err(Interrupted.into());
        }
    }
}

fn end(child: &mut Child, patience: Duration) {
    for (wait, signal) in [(patience, Signal::TERM), (Duration::from_secs(15), Signal::KILL)] {
        let until = Instant::now() + wait;
        while Instant::now() < until {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        send(child.id(), signal);
    }
    child.wait().ok();
}

fn name(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or_default().to_string_lossy().into_owned()];
    words.extend(command.get_args().take(3).map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}
