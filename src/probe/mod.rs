//! Questions to the network become observations.
