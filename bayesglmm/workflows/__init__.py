"""Whatever calls the api again: many fits, fits side by side, simulations."""
