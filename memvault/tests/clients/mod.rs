//! What clients of a node see: requests as bytes, and the bytes that come back.

mod client;
mod cluster;
mod commands;
mod counting;
mod deferred;
mod limits;
mod replies;
mod web_pages;
mod wide;
