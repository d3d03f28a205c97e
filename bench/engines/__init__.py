"""Where pieces of work are carried out: here, in processes beside, or on other machines.

`items` and `answering` are what travels, `carrying` is the policy that all engines share, and an
engine says no more than how an item's text gets to a worker and its answer back.
"""

#: What --engine may be: processes of this machine, a Ray cluster, Slurm, or jobs as for Slurm that
#: are processes of this machine.
ENGINES = ("local", "ray", "slurm", "submitit-local")
