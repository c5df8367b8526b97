//! Fills a new database with users.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rusqlite::{Result, params};

use crate::database::connect;

/// Users between two looks of the progress bar.
const STEP: u32 = 1000;

/// Makes `users` users, if there were never any. All or none: one that is stopped leaves nothing. Blocks.
pub(crate) fn seed(path: &Path, users: u32) -> Result<()> {
    let mut connection = connect(path)?;
    let transaction = connection.transaction()?;
    let was_filled = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'users')",
        [],
        |row| row.get(0),
    )?;
    if was_filled || users == 0 {
        return Ok(());
    }
    let (bar, begun) = (progress_bar(users), Instant::now());
    let insert = "INSERT INTO users (name, email) VALUES (?1, ?2)";
    let mut insert = transaction.prepare(insert)?;
    for number in 1..=users {
        let (name, email) = (
            format!("User {number}"),
            format!("user{number}@example.com"),
        );
        insert.execute(params![name, email])?;
        if number % STEP == 0 {
            bar.set_position(number.into());
        }
    }
    drop(insert);
    transaction.commit()?;
    bar.finish_and_clear();
    let (path, took) = (path.display(), begun.elapsed().as_secs_f64());
    eprintln!("made {users} users in {path} in {took:.1} s");
    Ok(())
}

/// A bar on a terminal, and nothing elsewhere.
fn progress_bar(users: u32) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(users.into()), target);
    match ProgressStyle::with_template("making users {bar:40} {human_pos}/{human_len}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
