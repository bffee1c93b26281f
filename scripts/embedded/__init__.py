"""The services of one machine: what they are, where they keep their data, and how they are started and watched.

``layout`` knows the folder, ``ports`` and ``secrets`` what is chosen once and kept, ``catalog`` the services,
``environment`` what their processes are told, ``launch`` starts one, ``supervisor`` keeps them running, ``health`` asks
each a real question.
"""
