//! Pollers of devices: SNMP v2c and HTTP health URLs become observations.
