//! A deterministic simulation of one origin: many real nodes over one simulated IndexedDB, its locks, its channel and
//! its clocks, a network and a broker. A seed is a world, and the same seed is the same world.

#![allow(dead_code, reason = "the tests and the example use their own parts")]

mod app;
mod broker;
mod check;
mod consume;
mod damage;
mod disk;
mod faults;
mod locks;
mod members;
mod movers;
pub mod mutant;
mod network;
mod page;
pub mod plan;
pub mod runner;
mod shadow;
mod storage;
#[path = "../support/mod.rs"]
mod support;
mod transact;
mod transactions;
mod world;
