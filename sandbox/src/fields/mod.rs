//! Which fields an object has, which of them differ between two states, and how two states merge.
//!
//! A field is named by its path. Items of lists are named by their keys or their value where the schema says so, which is
//! what lets two clients own different containers of one Pod. A struct, map or list that the schema calls atomic is one
//! field.
//!
//! Everything here is pure: JSON values and a [`Model`] of their types go in, [`Set`]s and values come out.

mod check;
mod collect;
mod compare;
mod element;
mod json;
mod merge;
mod model;
mod place;
mod remove;
mod set;

pub(crate) use self::{
    check::check,
    collect::collect,
    compare::{Comparison, compare},
    element::Element,
    merge::merge,
    model::{Model, TypeRef},
    remove::remove,
    set::Set,
};

#[cfg(test)]
mod tests;
