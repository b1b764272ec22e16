mod golden;
mod hostile;
mod properties;
mod python;
mod reads;
mod records;
mod writes;
