from emulator.rest import Route
from emulator.svms import handlers
from emulator.svms.state import PATCH_FIELDS, POST_FIELDS, SVM

URLS = [
    Route("GET", "/svm/svms", handlers.list_svms, shape=SVM),
    Route("POST", "/svm/svms", handlers.create, shape=SVM, accepts=POST_FIELDS),
    Route("GET", "/svm/svms/{uuid}", handlers.get_svm, shape=SVM),
    Route("PATCH", "/svm/svms/{uuid}", handlers.modify, shape=SVM, accepts=PATCH_FIELDS),
    Route("DELETE", "/svm/svms/{uuid}", handlers.delete, shape=SVM),
]
