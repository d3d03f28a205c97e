"""How well images were recovered, from the stored 8-bit images and from nothing else."""
