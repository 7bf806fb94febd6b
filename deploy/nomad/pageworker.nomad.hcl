# Workers on Nomad (docs/nomad.md). `nomad job run -var-file=FILE pageworker.nomad.hcl`.
# It needs nomad-driver-podman 0.6.3 or later: `security_opt`, and options of `tmpfs`. Docker's driver cannot unmask /proc.
# An update starts canaries beside the old workers. It goes on when they are healthy and `nomad deployment promote` was
# called, and goes back by itself when they are not.

variable "image" {
  type        = string
  description = "The image of a worker by its digest: registry.example/pageworker@sha256:…"
}

variable "redis_url" {
  type    = string
  default = "redis://pageworker@redis.service.consul:6379/0"
}

variable "workers" {
  type    = number
  default = 4
}

variable "seccomp" {
  type        = string
  description = "Path of seccomp/container.json on each client."
  default     = "/etc/pageworker/seccomp.json"
}

variable "config" {
  type        = string
  description = "Path of pageworker.toml on the machine that runs `nomad job run`."
  default     = "pageworker.toml"
}

job "pageworker" {
  type        = "service"
  datacenters = ["*"]

  update {
    # Workers of neighbouring versions share a Redis (docs/upgrade.md).
    canary            = 1
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "30s"
    healthy_deadline  = "5m"
    progress_deadline = "30m"
    auto_revert       = true
    # A person looks at the jobs of the canary first. `make canary` is for Kubernetes.
    auto_promote = false
  }

  group "workers" {
    count = var.workers

    # A worker whose client is gone: its jobs run again when their leases end, on any worker.
    disconnect {
      lost_after = "2m"
      replace    = true
    }

    # Exit codes 2 and 5 do not get better by a restart: after six tries the worker is given up on this client.
    restart {
      attempts = 6
      interval = "10m"
      delay    = "15s"
      mode     = "fail"
    }

    migrate {
      max_parallel     = 1
      health_check     = "checks"
      min_healthy_time = "10s"
      healthy_deadline = "5m"
    }

    ephemeral_disk {
      size    = 8192
      migrate = false
    }

    network {
      mode = "bridge"
      port "http" {
        to = 9470
      }
    }

    service {
      name     = "pageworker"
      port     = "http"
      provider = "nomad"

      check {
        name     = "takes jobs"
        type     = "http"
        path     = "/readyz"
        interval = "5s"
        timeout  = "3s"
      }

      # A worker without Redis is alive, so this check restarts nothing then.
      check {
        name     = "alive"
        type     = "http"
        path     = "/healthz"
        interval = "30s"
        timeout  = "5s"

        check_restart {
          limit = 3
          grace = "2m"
        }
      }
    }

    task "worker" {
      driver = "podman"
      user   = "10001:10001"

      # SIGTERM drains. Longer than a stop of the daemon takes with drain_seconds = 60: 60 + 10 + 48 (docs/operations.md).
      # The client's max_kill_timeout must be at least as long; its default is 30s.
      kill_signal  = "SIGTERM"
      kill_timeout = "120s"

      config {
        image           = var.image
        readonly_rootfs = true
        cap_drop        = ["ALL"]
        tmpfs           = ["/tmp:mode=1777,size=256m"]
        ports           = ["http"]
        pids_limit      = 4096

        ulimit {
          nofile = "20000:20000"
        }

        # A sandbox mounts a /proc of its own (docs/container.md).
        security_opt = ["no-new-privileges", "seccomp=${var.seccomp}", "unmask=ALL"]
      }

      env {
        PAGEWORKER_CONFIG                = "/local/pageworker.toml"
        PAGEWORKER_REDIS__URL            = var.redis_url
        PAGEWORKER_REDIS__PASSWORD_FILE  = "/secrets/redis-password"
        PAGEWORKER_WORKER__ID            = "${NOMAD_SHORT_ALLOC_ID}"
        PAGEWORKER_WORKER__DATA_DIR      = "/local/data"
        PAGEWORKER_WORKER__DRAIN_SECONDS = "60"
        # The port is published on the client: limit who can connect to it there.
        PAGEWORKER_HTTP__BIND = "0.0.0.0:9470"
      }

      template {
        data        = file(var.config)
        destination = "local/pageworker.toml"
        change_mode = "restart"
        uid         = 10001
        gid         = 10001
        perms       = "0440"
      }

      # `nomad var put nomad/jobs/pageworker redis_password=@FILE`. The worker reads the file for each connection.
      template {
        data        = <<EOT
{{ with nomadVar "nomad/jobs/pageworker" }}{{ .redis_password }}{{ end }}
EOT
        destination = "secrets/redis-password"
        change_mode = "noop"
        uid         = 10001
        gid         = 10001
        perms       = "0400"
      }

      resources {
        cpu        = 2000
        memory     = 2048
        memory_max = 4096
      }
    }
  }
}
