"""Where the bytes of a store are: one interface (`provenance.storage.interface`) and one module for each place."""
