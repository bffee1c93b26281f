"""Click-through rate: will this advertisement be clicked, from the rows of Criteo's click logs."""
