"""What infra.playbook_worker consists of beside the runner.

events   what the runner's events amount to, and the lines that tell of them
inventory  whom Ansible reaches, and how
ladder   the rungs that a guest climbs before Ansible may reach it
marked   the processes of a run, and their end
"""
