"""The brokers: kombu's transports, made to deliver whole messages and to survive everything else that lies in a queue."""

from kombu.transport import TRANSPORT_ALIASES

# Who writes `filesystem://` or `redis://` anywhere in this process gets these.
TRANSPORT_ALIASES.update(
    filesystem="store.brokers.folders:Transport", redis="store.brokers.redis:Transport", rediss="store.brokers.redis:Transport"
)
