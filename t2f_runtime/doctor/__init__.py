"""What is installed here, what draws here, and what repairs the rest: `t2f doctor`."""
