"""A stand-in for NetApp Trident, for tests and demos: claims become volumes of ONTAP that real pods mount as folders.

It speaks to ONTAP over REST and to Kubernetes as Trident, external-provisioner, external-resizer and
external-snapshotter do together. See its README for what is the same and what is not.
"""
