# One sentence and one command for each target; the work is done in scripts/.
PYTHON ?= python3
# A value is read from the environment, where make puts it: in the command's text a quote in it would be the shell's.
PROGRAM = @$(PYTHON) scripts/environment.py && .venv/bin/python -m
.DEFAULT_GOAL := help
.PHONY: help demo demo-ctr up down restart status clean airflow preflight versions reclaim watchers plan size projects projects-report replay upload new-system rerun test test-quick test-slurm test-postgresql test-kubernetes test-compose images tasks-image compose-up compose-down compose-status compose-password compose-samples helm-check faults journey browser bench bench-scale bench-gpu bench-ctr bench-edge \
	lint docs screenshot environment lock

# List the targets, a sentence each.
help:
	@$(PYTHON) scripts/help.py

# From source data to a deployed model: tyres (IMAGES=FOLDER, FULL=1, or DAYS=3 for past days too), clicks with SYSTEM=ctr (ROWS=4000000), lanes with SYSTEM=lane or faces with SYSTEM=private (IMAGES=FOLDER), calls with SYSTEM=calls, drift with SYSTEM=drift (DAYS=30); every system with SYSTEM=all.
demo:
	$(PROGRAM) scripts.demo "$${SYSTEM:-tyre}" $(if $(IMAGES),--images "$$IMAGES") $(if $(FULL),--full) $(if $(ROWS),--rows "$$ROWS") \
		$(if $(DAYS),--days "$$DAYS")

# The same as `make demo SYSTEM=ctr`.
demo-ctr:
	$(PROGRAM) scripts.demo ctr $(if $(ROWS),--rows "$$ROWS")

# Start the services on this machine and print their addresses; optional ones when named, such as SERVICES=dialog.
up:
	$(PROGRAM) scripts.services up $(if $(SERVICES),"$$SERVICES")

# Stop the services; their data stays.
down:
	$(PROGRAM) scripts.services down

# Restart one service, such as SERVICE=mlflow, or one program of it, and wait until it answers.
restart:
	$(PROGRAM) scripts.services restart "$$SERVICE"

# Show every service with its address and whether it answers.
status:
	$(PROGRAM) scripts.services status

# Stop the services and remove their data, logs and passwords; asks first, or refuses where nobody can be asked, unless YES=1.
clean:
	$(PROGRAM) scripts.services clean

# Start docker-compose.yaml: Airflow with Celery, PostgreSQL, emulators, MLflow, Triton, Prometheus, Grafana and what COMPOSE_PROFILES of .env names; builds its images first.
compose-up:
	$(PROGRAM) scripts.compose up $(ARGS)

# Stop the services of docker-compose.yaml; ARGS=--volumes removes their data, logs and passwords too.
compose-down:
	$(PROGRAM) scripts.compose down $(ARGS)

# Show each container of docker-compose.yaml and whether it is healthy.
compose-status:
	$(PROGRAM) scripts.compose status

# Print the password of Airflow's user admin in docker-compose.yaml, or another SECRET=grafana, or the token of SECRET=dialog.
compose-password:
	$(PROGRAM) scripts.compose password "$${SECRET:-airflow}"

# Draw photographs of tyres into the data lake of docker-compose.yaml, for ingest_tyre_images; ARGS="--count 600" for more.
compose-samples:
	$(PROGRAM) scripts.compose samples $(ARGS)

# Run Airflow's command line against these services, such as ARGS="dags list".
airflow:
	$(PROGRAM) scripts.services airflow -- $(ARGS)

# Check the systems that the connections name: reach, rights, clocks, mounts; ARGS=--read-only makes nothing.
preflight:
	$(PROGRAM) scripts.services preflight -- $(ARGS)

# List a dataset's versions as JSON, such as DATASET=tyre_images, or only the one current at AS_OF=2026-11-20T06:00:00Z.
versions:
	$(PROGRAM) scripts.services versions -- --dataset "$$DATASET" $(if $(AS_OF),--as-of "$$AS_OF")

# List what watches the storage for new snapshots, transfers and objects: last look, last event, trouble.
watchers:
	$(PROGRAM) scripts.watchers

# List what this project made on ONTAP: what could be removed and frees how much, and why the rest stays; removes nothing.
reclaim:
	$(PROGRAM) scripts.services reclaim -- $(ARGS)

# Say which way of moving data fits, such as FROM=tyre_images TO=remote ARGS="--share 0.1"; without FROM, what past transfers took.
plan:
	$(PROGRAM) scripts.services plan -- $(if $(FROM),"$$FROM" "$$TO") $(ARGS)

# Say what memory, GPUs and disk a model needs, such as PARAMETERS=7e9 TOKENS=512 SEQUENCES=8, by the published rules and as measured.
size:
	$(PROGRAM) scripts.size $(if $(PARAMETERS),"$$PARAMETERS") $(if $(TOKENS),--tokens "$$TOKENS") $(if $(SEQUENCES),--sequences "$$SEQUENCES") $(ARGS)

# Give the GPU projects of config/projects.yaml to the scheduler of PLACE=slurm; DRY_RUN=1 shows what differs and changes nothing.
projects:
	$(PROGRAM) scripts.services projects -- apply "$$PLACE" $(if $(DRY_RUN),--dry-run)

# Tell what use projects make of the GPUs of PLACE=slurm: allocated, idle, over quota, waiting; PAGE=FILE writes a page to open.
projects-report:
	$(PROGRAM) scripts.services projects -- report "$$PLACE" $(if $(PAGE),--page "$$PAGE")

# Play the published scenarios of fair sharing on the scheduler of PLACE=slurm and compare who gets which GPUs.
replay:
	$(PROGRAM) scripts.services projects -- replay "$$PLACE"

# Put a folder's files into the data lake: FROM=photos TO=bottle_images (a dataset), or TO=s3://lake/bottles/.
upload:
	$(PROGRAM) scripts.upload "$$FROM" "$$TO"

# Write the files of a new system that runs at once on a small sample, such as NAME=bearings.
new-system:
	$(PROGRAM) scripts.new_system "$$NAME"

# Repeat a past training run of any system exactly, by its run key, such as RUN=r2026..., and compare the metrics.
rerun:
	$(PROGRAM) scripts.rerun "$$RUN"

# Run every test that needs no GPU, no cluster and no cloud.
test:
	$(PROGRAM) scripts.tests

# Run the tests that start no Airflow, no browser and no Triton.
test-quick:
	$(PROGRAM) scripts.tests quick

# Run jobs on a real Slurm, which the tests start on this machine: needs root and Debian or Ubuntu, else it says so.
test-slurm:
	$(PROGRAM) scripts.tests slurm

# Run DAG tests and what reaches Airflow's database on a real PostgreSQL, started here; part of `make test`.
test-postgresql:
	$(PROGRAM) scripts.tests postgresql

# Run the tests against the cluster that KUBECONFIG names; its nodes need the image that `make tasks-image` builds.
test-kubernetes:
	$(PROGRAM) scripts.tests kubernetes

# Build the container images of docker/, or only NAME="airflow worker", and tell their sizes and what they are made of.
images:
	@$(PYTHON) -m scripts.images $(NAME) $(ARGS)

# Build all images, bring docker-compose.yaml up, train through Celery workers with faults, and compare with an undisturbed run.
test-compose: images
	$(PROGRAM) scripts.tests compose

# Build the image of our programs for Kubernetes, or with another ARGS="--tag NAME"; ARGS='--load "kind load image-archive"' hands it to a cluster.
tasks-image:
	@$(PYTHON) -m scripts.images tasks $(ARGS)

# Render docker/helm/ with the official Airflow chart and judge it; needs helm, and the chart's public place or ARGS="--chart FOLDER".
helm-check:
	$(PROGRAM) scripts.helm_check $(ARGS)

# Run every ONTAP operator under every fault, and killed between any two of its calls, and print the table.
faults:
	$(PROGRAM) scripts.tests faults

# Run the tests in which the real scheduler runs the DAGs, or only NAME=tyre.
journey:
	$(PROGRAM) scripts.tests journey $(NAME)

# Run the tests in which a browser uses Airflow's pages.
browser:
	$(PROGRAM) scripts.tests browser

# Measure loader, DAG parsing, task overhead and sync against their yardsticks; results go to bench/*.json.
bench:
	$(PROGRAM) scripts.bench

# Measure what many workloads at once ask of Slurm, SageMaker and, with KUBECONFIG, Kubernetes; results go to bench/scale.json.
bench-scale:
	$(PROGRAM) scripts.bench scale

# Compare GPU and CPU, for whoever has a GPU; results go to bench/gpu.json.
bench-gpu:
	$(PROGRAM) scripts.bench gpu

# Measure the click-through engines against each other at three sizes (half an hour); results go to bench/ctr.json.
bench-ctr:
	$(PROGRAM) scripts.bench ctr

# Measure local disk against shared volume with MLCommons' LoadGen, one and two edge servers; results go to bench/edge.json.
bench-edge:
	$(PROGRAM) scripts.bench edge

# Check style, import rules and types, and that the generated pages of docs/ are current.
lint:
	$(PROGRAM) scripts.lint

# Generate the reference pages of docs/ again.
docs:
	$(PROGRAM) scripts.generate_docs

# Take the pictures of README and docs again, of all systems or of SYSTEM=tyre; needs Chromium and their demos to have run.
screenshot:
	$(PROGRAM) scripts.screenshot $(SYSTEM)

# Install everything into .venv and .venv-triton; every other target does this first when needed.
environment:
	@$(PYTHON) scripts/environment.py

# Pin the newest versions that fit together in constraints.txt.
lock:
	$(PROGRAM) scripts.lock
