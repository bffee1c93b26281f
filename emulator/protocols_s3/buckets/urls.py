from emulator.protocols_s3.buckets import handlers
from emulator.protocols_s3.buckets.state import BUCKET, BUCKET_OF_SVM, PATCH_FIELDS, POST_FIELDS, POST_FIELDS_OF_SVM
from emulator.rest import Route

_ALL = "/protocols/s3/buckets"
_ONE = "/protocols/s3/buckets/{svm.uuid}/{uuid}"
_OF_SVM = "/protocols/s3/services/{svm.uuid}/buckets"

URLS = [
    Route("GET", _ALL, handlers.list_buckets, shape=BUCKET),
    Route("POST", _ALL, handlers.create, shape=BUCKET, accepts=POST_FIELDS),
    Route("GET", _ONE, handlers.get_bucket, shape=BUCKET),
    Route("PATCH", _ONE, handlers.modify, shape=BUCKET, accepts=PATCH_FIELDS),
    Route("DELETE", _ONE, handlers.delete, shape=BUCKET),
    Route("GET", _OF_SVM, handlers.list_of_svm, shape=BUCKET_OF_SVM),
    Route("POST", _OF_SVM, handlers.create_in_svm, shape=BUCKET_OF_SVM, accepts=POST_FIELDS_OF_SVM),
    Route("GET", f"{_OF_SVM}/{{uuid}}", handlers.get_of_svm, shape=BUCKET_OF_SVM),
    Route("PATCH", f"{_OF_SVM}/{{uuid}}", handlers.modify, shape=BUCKET_OF_SVM, accepts=PATCH_FIELDS),
    Route("DELETE", f"{_OF_SVM}/{{uuid}}", handlers.delete, shape=BUCKET_OF_SVM),
]
