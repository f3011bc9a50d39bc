//! The simulator: seeds that must hold, mistakes that must be caught, scripts of failures that were mended.

#[cfg(test)]
mod mutants;
#[cfg(test)]
mod scripts;
#[cfg(test)]
mod seeds;
