//! Tests of whole parts through their outer edge, on a database of their own.

mod console;
