//! lru
