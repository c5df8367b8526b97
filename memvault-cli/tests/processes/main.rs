//! Real processes of the command `memvault`, as clients see them: some are killed, some stand still.
#![cfg(unix)]

mod admin;
mod cluster;
mod counters;
mod crowds;
mod discovery;
mod exact_lru;
mod kill_nodes;
mod logs;
mod members;
mod memory;
mod plain_redis;
mod process;
mod redis;
mod same_id;
mod signals;
mod top;
mod unread_logs;
mod web_pages;
mod worker;

// What all tests of the command use.
#[path = "../support/mod.rs"]
mod support;
