//! avl
